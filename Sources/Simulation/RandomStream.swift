import Transport

/// Random numbers that are the same for the same seed and purpose.
///
/// Each purpose has a stream of its own, so that a fault more or less does not change what is asked for.
struct RandomStream: RandomNumberGenerator, Sendable {
    enum Purpose: UInt64, Sendable {
        case cluster = 1
        case requests, network, faults, computing, replicas, spares, journal, clients, planning, speeds
    }

    private var generator: SplitMix64

    init(seed: UInt64, _ purpose: Purpose) {
        generator = SplitMix64(seed: HashModel.mix(seed, purpose.rawValue))
    }

    mutating func next() -> UInt64 { generator.next() }

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
