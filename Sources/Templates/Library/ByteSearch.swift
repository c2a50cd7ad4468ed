/// Finds text in text in time linear in their lengths, whatever they are (Knuth, Morris and Pratt, "Fast pattern matching
/// in strings", SIAM J. Comput. 6, 1977). Works on UTF-8, where equal bytes mean equal code points.
struct ByteSearch {
    let pattern: [UInt8]
    /// Of each prefix, the length of its longest proper prefix that is also its suffix.
    private let borders: [Int]

    init(_ pattern: String) {
        self.init(Array(pattern.utf8))
    }

    init(_ pattern: [UInt8]) {
        self.pattern = pattern
        var borders = Array(repeating: 0, count: pattern.count)
        var length = 0
        for index in pattern.indices.dropFirst() {
            while length > 0, pattern[index] != pattern[length] { length = borders[length - 1] }
            if pattern[index] == pattern[length] { length += 1 }
            borders[index] = length
        }
        self.borders = borders
    }

    /// Where the pattern first starts at or after `start`.
    func first(in text: [UInt8], from start: Int = 0) -> Int? {
        guard !pattern.isEmpty else { return start <= text.count ? start : nil }
        var length = 0
        var index = start
        while index < text.count {
            while length > 0, text[index] != pattern[length] { length = borders[length - 1] }
            if text[index] == pattern[length] { length += 1 }
            index += 1
            if length == pattern.count { return index - length }
        }
        return nil
    }

    /// Where the pattern starts, from left to right without overlaps; at most `limit` places. The pattern is not empty.
    func all(in text: [UInt8], limit: Int = .max) -> [Int] {
        var places: [Int] = []
        var position = 0
        while places.count < limit, let found = first(in: text, from: position) {
            places.append(found)
            position = found + pattern.count
        }
        return places
    }
}
