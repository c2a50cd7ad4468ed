import Transport

/// How often each token stands in a sequence's prompt and output: what penalties look at.
struct TokenHistory {
    /// All tokens of the sequence so far, in order.
    private(set) var tokens: [Int32] = []

    mutating func append(_ more: [Int32], at position: Int) {
        // A slice continues its sequence or rewinds it: the sequence table has checked it. What follows the position is of
        // another request.
        tokens.removeSubrange(min(position, tokens.count)...)
        tokens += more
    }

    /// The distinct tokens in ascending order, with how often each stands in the output.
    func counts(promptLength: Int) -> [(token: Int32, outputCount: Int)] {
        var counts: [Int32: Int] = [:]
        for (position, token) in tokens.enumerated() {
            counts[token, default: 0] += position < promptLength ? 0 : 1
        }
        return counts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
