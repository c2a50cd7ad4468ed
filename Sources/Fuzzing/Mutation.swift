extension [UInt8] {
    /// Changes one place, as a fault of a link, a machine or a program might.
    public mutating func mutate(using random: inout some RandomNumberGenerator) {
        guard !isEmpty else { return }
        let place = Int.random(in: 0..<count, using: &random)
        switch Int.random(in: 0...6, using: &random) {
        case 0: self[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
        case 1: self[place] = .random(in: .min ... .max, using: &random)
        case 2: remove(at: place)
        case 3: insert(.random(in: .min ... .max, using: &random), at: place)
        case 4: removeSubrange(place...)
        case 5:
            let end = Swift.min(count, place + Int.random(in: 1...40, using: &random))
            insert(contentsOf: self[place..<end], at: Int.random(in: 0...count, using: &random))
        default:
            // A length or count that promises far more than there is.
            let end = Swift.min(count, place + 5)
            replaceSubrange(place..<end, with: [0xFF, 0xFF, 0xFF, 0xFF, 0x0F].prefix(end - place))
        }
    }

    /// So many random bytes.
    static func random(count: Int, using random: inout some RandomNumberGenerator) -> [UInt8] {
        (0..<count).map { _ in .random(in: .min ... .max, using: &random) }
    }
}
