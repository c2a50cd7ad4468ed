extension String {
    /// The text as a log or a terminal may show it, whoever wrote it: control characters, and those that turn the
    /// direction of what follows or break the line, as `\n` or `\u{1b}`.
    public var printable: String {
        guard unicodeScalars.contains(where: \.isHarmful) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            guard scalar.isHarmful else {
                text.unicodeScalars.append(scalar)
                continue
            }
            switch scalar {
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default: text += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return text
    }
}

extension Unicode.Scalar {
    /// C0, DEL and C1; line and paragraph separator; embeddings, overrides and isolates of direction (Unicode
    /// Standard Annex 9).
    fileprivate var isHarmful: Bool {
        switch value {
        case ..<0x20, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069, 0x200E, 0x200F: true
        default: false
        }
    }
}
