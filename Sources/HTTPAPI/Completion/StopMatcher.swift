/// Finds stop strings in text that arrives in pieces, and holds back text that may turn out to be the beginning of one.
///
/// It works byte by byte with one Knuth–Morris–Pratt automaton per stop string, so the outcome does not depend on how
/// the text is cut into tokens: the stop string that is complete first ends the text, and of two that end together the
/// longer.
struct StopMatcher: Sendable {
    private struct Pattern: Sendable {
        let bytes: [UInt8]
        /// `fallback[n]`: length of the longest proper prefix of `bytes` that ends its first `n + 1` bytes.
        let fallback: [Int]
        /// Bytes of the pattern that the text ends with.
        var matched = 0

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
            var fallback = [0]
            var length = 0
            for byte in bytes.dropFirst() {
                while length > 0, bytes[length] != byte { length = fallback[length - 1] }
                if bytes[length] == byte { length += 1 }
                fallback.append(length)
            }
            self.fallback = fallback
        }

        mutating func advance(_ byte: UInt8) -> Bool {
            while matched > 0, bytes[matched] != byte { matched = fallback[matched - 1] }
            if bytes[matched] == byte { matched += 1 }
            return matched == bytes.count
        }
    }

    private var patterns: [Pattern]
    /// Seen, but not yet released.
    private var held: [UInt8] = []
    /// Whether a stop string has been found. Nothing is released after that.
    private(set) var hasStopped = false

    /// - Parameter stops: UTF-8 of the stop strings, none of them empty.
    init(_ stops: [[UInt8]]) { patterns = stops.map(Pattern.init) }

    /// Takes the next text and returns what is certain to be output. It is cut between characters, as stop strings
    /// begin with one.
    mutating func append(_ text: String) -> String {
        if hasStopped { return "" }
        if patterns.isEmpty { return text }
        for byte in text.utf8 {
            held.append(byte)
            var stopLength = 0
            for index in patterns.indices where patterns[index].advance(byte) {
                stopLength = max(stopLength, patterns[index].bytes.count)
            }
            if stopLength > 0 {
                hasStopped = true
                let released = String(decoding: held.dropLast(stopLength), as: UTF8.self)
                held = []
                return released
            }
        }
        let undecided = patterns.reduce(0) { max($0, $1.matched) }
        let released = String(decoding: held.dropLast(undecided), as: UTF8.self)
        held.removeFirst(held.count - undecided)
        return released
    }

    /// The text has ended: what was held back is output after all.
    mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }
}
