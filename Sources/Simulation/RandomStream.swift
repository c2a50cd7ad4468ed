/// Random numbers that are the same for the same seed and purpose: SplitMix64 (Steele, Lea and Flood, 2014).
///
/// Each purpose has a stream of its own, so that a fault more or less does not change what is asked for.
struct RandomStream: RandomNumberGenerator, Sendable {
    enum Purpose: UInt64, Sendable {
        case cluster = 1
        case requests, network, faults, computing
    }

    private var state: UInt64

    init(seed: UInt64, _ purpose: Purpose) {
        state = HashModel.mix(seed, purpose.rawValue)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// In [0, 1).
    mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Whether something of this probability happens. Draws in any case, so that what follows does not depend on it.
    mutating func happens(_ probability: Double) -> Bool { fraction() < probability }

    mutating func number(in range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    mutating func duration(_ least: Duration, _ most: Duration) -> Duration {
        least + (most - least) * fraction()
    }

    /// One of a few, which are not none.
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[number(in: 0...elements.count - 1)] }
}
