/// Finds tokens that are written out in text, such as `<|im_end|>`: the leftmost, and there the longest.
struct SpecialTokens: Sendable {
    /// Ids in the order of their bytes, so that tokens with a common beginning are neighbours, the shortest first.
    private let ids: [Int32]
    /// The bytes of each, in the same order.
    private let texts: ByteStrings
    /// Whether some token begins with a byte.
    private let begins: [Bool]

    /// The tokens `candidates` of `tokens`; empty texts are left out.
    init(_ candidates: [Int32], of tokens: ByteStrings) {
        let used = candidates.filter { !tokens[Int($0)].isEmpty }
        ids = used.sorted { tokens[Int($0)].lexicographicallyPrecedes(tokens[Int($1)]) }
        var texts = ByteStrings()
        var begins = [Bool](repeating: false, count: 256)
        for id in ids {
            let text = tokens[Int(id)]
            texts.append(Array(text))
            begins[Int(text[text.startIndex])] = true
        }
        self.texts = texts
        self.begins = begins
    }

    struct Match {
        var token: Int32
        var range: Range<Int>
    }

    /// The first token written in `text` from `start` on; nil if there is none.
    func firstMatch(in text: Span<UInt8>, from start: Int) -> Match? {
        if ids.isEmpty { return nil }
        for index in start..<text.count where begins[Int(text[index])] {
            if let match = longestMatch(in: text, at: index) { return match }
        }
        return nil
    }

    /// Narrows the tokens down, byte by byte, to those that begin as the text does.
    private func longestMatch(in text: Span<UInt8>, at start: Int) -> Match? {
        var candidates = 0..<ids.count
        var match: Match?
        var depth = 0
        while start + depth < text.count {
            let byte = text[start + depth]
            let lower = firstCandidate(in: candidates, depth) { $0 >= byte }
            let upper = firstCandidate(in: lower..<candidates.upperBound, depth) { $0 > byte }
            candidates = lower..<upper
            guard let first = candidates.first else { break }
            depth += 1
            if texts.range(first).count == depth {
                match = Match(token: ids[first], range: start..<start + depth)
                candidates = first + 1..<upper
            }
        }
        return match
    }

    /// The first candidate whose byte at `depth` satisfies `condition`; all have such a byte, in ascending order.
    private func firstCandidate(in candidates: Range<Int>, _ depth: Int, where condition: (UInt8) -> Bool) -> Int {
        var range = candidates
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if condition(texts.bytes[texts.range(middle).lowerBound + depth]) {
                range = range.lowerBound..<middle
            } else {
                range = middle + 1..<range.upperBound
            }
        }
        return range.lowerBound
    }
}
