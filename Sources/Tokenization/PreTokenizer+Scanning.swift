extension PreTokenizer {
    /// Where the word that begins at `start` ends, in `text[start..<end]` alone. `start` must be below `end`; `text` is
    /// well-formed UTF-8.
    func wordEnd(in text: Span<UInt8>, from start: Int, to end: Int) -> Int {
        switch self {
        case .gpt2, .smollm: gpt2WordEnd(text, start, end)
        case .llama3: llama3WordEnd(text, start, end, maximumDigitCount: 3)
        case .qwen2: llama3WordEnd(text, start, end, maximumDigitCount: 1)
        }
    }

    private func gpt2WordEnd(_ text: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
        if let contraction = contractionEnd(text, start, end, ignoringCase: false) { return contraction }
        let (first, firstByteCount) = ScalarClass.at(start, of: text)
        if self == .smollm, first == .number { return start + firstByteCount }
        if !first.isWhitespace { return runEnd(of: first, text, start + firstByteCount, end) }
        if text[start] == 0x20, start + 1 < end {
            let (next, nextByteCount) = ScalarClass.at(start + 1, of: text)
            let joins = !next.isWhitespace && !(self == .smollm && next == .number)
            if joins { return runEnd(of: next, text, start + 1 + nextByteCount, end) }
        }
        return whitespaceEnd(whitespaceRun(text, start, end), text, end)
    }

    private func llama3WordEnd(_ text: Span<UInt8>, _ start: Int, _ end: Int, maximumDigitCount: Int) -> Int {
        if let contraction = contractionEnd(text, start, end, ignoringCase: true) { return contraction }
        let (first, firstByteCount) = ScalarClass.at(start, of: text)
        let afterFirst = start + firstByteCount
        switch first {
        case .letter:
            return runEnd(of: .letter, text, afterFirst, end)
        case .number:
            return digitsEnd(text, afterFirst, end, limit: maximumDigitCount - 1)
        case .other, .space:
            if afterFirst < end {
                let (next, nextByteCount) = ScalarClass.at(afterFirst, of: text)
                if next == .letter { return runEnd(of: .letter, text, afterFirst + nextByteCount, end) }
                if next == .other, text[start] == 0x20 { return symbolsEnd(text, afterFirst + nextByteCount, end) }
            }
            if first == .other { return symbolsEnd(text, afterFirst, end) }
        case .newline:
            break
        }
        let run = whitespaceRun(text, start, end)
        return run.lastNewlineEnd ?? whitespaceEnd(run, text, end)
    }

    /// `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d`.
    @inline(__always)
    private func contractionEnd(_ text: Span<UInt8>, _ start: Int, _ end: Int, ignoringCase: Bool) -> Int? {
        guard text[start] == 0x27, start + 1 < end else { return nil }
        let caseBit: UInt8 = ignoringCase ? 0x20 : 0
        let first = text[start + 1] | caseBit
        switch first {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
        default: break
        }
        guard start + 2 < end else { return nil }
        switch (first, text[start + 2] | caseBit) {
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
            (UInt8(ascii: "l"), UInt8(ascii: "l")):
            return start + 3
        default: return nil
        }
    }

    /// Where scalars of one class end.
    @inline(__always)
    private func runEnd(of scalarClass: ScalarClass, _ text: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
        var index = start
        while index < end {
            let (next, byteCount) = ScalarClass.at(index, of: text)
            if next != scalarClass { break }
            index += byteCount
        }
        return index
    }

    private func digitsEnd(_ text: Span<UInt8>, _ start: Int, _ end: Int, limit: Int) -> Int {
        var index = start
        var remaining = limit
        while index < end, remaining > 0 {
            let (next, byteCount) = ScalarClass.at(index, of: text)
            if next != .number { break }
            index += byteCount
            remaining -= 1
        }
        return index
    }

    /// `[^\s\p{L}\p{N}]*[\r\n]*`
    private func symbolsEnd(_ text: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
        runEnd(of: .newline, text, runEnd(of: .other, text, start, end), end)
    }

    private struct WhitespaceRun {
        var end: Int
        /// Where its last scalar begins; nil if it has only one.
        var lastScalarStart: Int?
        /// After its last carriage return or line feed.
        var lastNewlineEnd: Int?
    }

    private func whitespaceRun(_ text: Span<UInt8>, _ start: Int, _ end: Int) -> WhitespaceRun {
        var run = WhitespaceRun(end: start)
        while run.end < end {
            let (next, byteCount) = ScalarClass.at(run.end, of: text)
            if !next.isWhitespace { break }
            if run.end > start { run.lastScalarStart = run.end }
            run.end += byteCount
            if next == .newline { run.lastNewlineEnd = run.end }
        }
        return run
    }

    /// `\s+(?!\S)|\s+`: the last scalar is left for the word that follows, if one does. For SmolLM digits are no such
    /// word: they were cut out beforehand.
    private func whitespaceEnd(_ run: WhitespaceRun, _ text: Span<UInt8>, _ end: Int) -> Int {
        guard run.end < end, let lastScalarStart = run.lastScalarStart else { return run.end }
        if self == .smollm, ScalarClass.at(run.end, of: text).scalarClass == .number { return run.end }
        return lastScalarStart
    }
}
