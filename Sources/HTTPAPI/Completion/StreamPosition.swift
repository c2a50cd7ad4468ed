/// How much of a streamed answer has been written: what the id of an event says, and where a client goes on that comes back
/// with it.
///
/// As text, such as `chatcmpl-1f…:12,-`: the stream, and for each choice the tokens whose text was decided by then, with a
/// full stop behind it once the choice has ended, or `-` before it has begun; at the end `+` once the usage was written.
struct StreamPosition: Equatable, Sendable {
    struct Choice: Equatable, Sendable {
        var tokenCount = 0
        var hasEnded = false
    }

    /// Nil before the choice has begun.
    var choices: [Choice?]
    var hasUsage = false

    /// The beginning.
    init(choiceCount: Int) { choices = Array(repeating: nil, count: choiceCount) }

    /// Nil if that is not the id of an event of this stream.
    init?(eventID: some StringProtocol, of stream: String, choiceCount: Int) {
        guard eventID.hasPrefix(stream + ":") else { return nil }
        var text = eventID.dropFirst(stream.count + 1)
        hasUsage = text.hasSuffix("+")
        if hasUsage { text = text.dropLast() }
        let entries = text.split(separator: ",", omittingEmptySubsequences: false)
        guard entries.count == choiceCount else { return nil }
        choices = []
        for entry in entries {
            if entry == "-" {
                choices.append(nil)
                continue
            }
            let hasEnded = entry.hasSuffix(".")
            let digits = hasEnded ? entry.dropLast() : entry
            guard digits.allSatisfy(\.isASCII), let count = Int(digits), count >= 0, digits.first != "+" else {
                return nil
            }
            choices.append(Choice(tokenCount: count, hasEnded: hasEnded))
        }
    }

    func eventID(of stream: String) -> String {
        let entries = choices.map { choice in
            choice.map { "\($0.tokenCount)\($0.hasEnded ? "." : "")" } ?? "-"
        }
        return "\(stream):\(entries.joined(separator: ","))\(hasUsage ? "+" : "")"
    }

    /// Whether all choices have been written to their ends.
    var isComplete: Bool { choices.allSatisfy { $0?.hasEnded == true } }
}
