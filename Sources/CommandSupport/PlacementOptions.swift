public import ArgumentParser
public import Transport

/// `--placement` and `--activation-grid`, for programs that decide about a cluster.
public struct PlacementOptions: ParsableArguments, Sendable {
    @Option(
        name: .customLong("placement"),
        help: ArgumentHelp(
            "How many workers share each stage's layers, such as 2,1,3. By default one, in as many stages as there are workers.",
            valueName: "ranks"))
    private var shape: PlacementShape?
    @Option(
        help:
            "On which grid ternary models round activations, which changes answers: with segment, workers that share a stage wait for each other half as often. By default exact."
    )
    public var activationGrid: ActivationGrid?

    public init() {}

    /// The ranks of each stage; nil if nothing was said.
    public var ranks: [Int]? { shape?.ranks }

    /// How many workers there are to be; nil if neither option says.
    ///
    /// - Parameter workers: what `--workers` says.
    /// - Throws: `ValidationError` if the two disagree.
    public func workerCount(_ workers: Int?) throws -> Int? {
        guard let shape else { return workers }
        let count = shape.ranks.reduce(0, +)
        guard workers == nil || workers == count else {
            throw ValidationError(
                "--placement \(shape) has room for \(count) workers, not \(workers ?? 0); leave --workers out")
        }
        return count
    }
}

/// How many ranks each stage has, as in `2,1,3`.
public struct PlacementShape: ExpressibleByArgument, Sendable, CustomStringConvertible {
    /// 1 to 64 each, 256 at most in all.
    public let ranks: [Int]

    public init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        ranks = parts.prefix(257).compactMap { Int($0) }.filter { (1...64).contains($0) }
        guard ranks.count == parts.count, ranks.reduce(0, +) <= 256 else { return nil }
    }

    public var description: String { ranks.map(String.init).joined(separator: ",") }
}

/// `exact` or `segment`.
extension ActivationGrid: ExpressibleByArgument {}
