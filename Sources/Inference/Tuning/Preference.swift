import Kernels

/// What is preferred as long as something else is not clearly faster: rates vary by some per cent from one time to another.
enum Preference {
    /// The share of the time that has to suffice for something else.
    private static let worthwhile = 0.95

    /// The fastest of several ways to compute with one layout; one with the usual prefetch unless another is worth it.
    static func fastest(_ rates: [KernelRate]) -> KernelRate? {
        func fastest(_ rates: [KernelRate]) -> KernelRate? { rates.max { $0.weightsPerSecond < $1.weightsPerSecond } }
        guard let best = fastest(rates) else { return nil }
        let usual = fastest(rates.filter { $0.candidate.prefetch == .usual(for: $0.candidate.layout) })
        return usual.flatMap { $0.weightsPerSecond >= best.weightsPerSecond * worthwhile ? $0 : nil } ?? best
    }

    /// What takes the least time; something that reads more bytes only if it is worth it, as what reads fewer suffers less from
    /// what else the machine does with its memory; and of those that read as many, one that comes later.
    static func best<Choice>(
        of choices: [Choice], byteCount: (Choice) -> Double, seconds: (Choice) -> Double
    ) -> Choice? {
        let inOrder = choices.enumerated().sorted {
            (byteCount($0.element), $0.offset) < (byteCount($1.element), $1.offset)
        }
        guard var best = inOrder.first?.element else { return nil }
        for (_, choice) in inOrder.dropFirst() where seconds(choice) < seconds(best) * worthwhile { best = choice }
        return best
    }
}
