public import ArgumentParser
public import Transport

/// `--placement` and `--activation-grid`, for programs that decide about a cluster.
public struct PlacementOptions: ParsableArguments, Sendable {
    @Option(
        name: .customLong("placement"),
        help: ArgumentHelp(
            "How many workers share each stage's layers, such as 2,1,3; or auto, for the coordinator to plan it from what workers and links measure. By default one, in as many stages as there are workers.",
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

    /// Whether the coordinator is to plan the placement.
    public var isPlanned: Bool { shape?.isPlanned ?? false }

    /// How many workers there are to be; nil if neither option says.
    ///
    /// - Parameter workers: what `--workers` says.
    /// - Throws: `ValidationError` if the two disagree.
    public func workerCount(_ workers: Int?) throws -> Int? {
        guard let shape, let count = shape.ranks?.reduce(0, +) else { return workers }
        guard workers == nil || workers == count else {
            throw ValidationError(
                "--placement \(shape) has room for \(count) workers, not \(workers ?? 0); leave --workers out")
        }
        return count
    }
}

/// How many ranks each stage has, as in `2,1,3`, or `auto`.
public struct PlacementShape: ExpressibleByArgument, Sendable, CustomStringConvertible {
    /// 1 to 64 each, 256 at most in all; nil if they are planned.
    public let ranks: [Int]?

    public var isPlanned: Bool { ranks == nil }

    public init?(argument: String) {
        if argument == "auto" {
            ranks = nil
            return
        }
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let ranks = parts.prefix(257).compactMap { Int($0) }.filter { (1...64).contains($0) }
        self.ranks = ranks
        guard ranks.count == parts.count, ranks.reduce(0, +) <= 256 else { return nil }
    }

    public var description: String { ranks?.map(String.init).joined(separator: ",") ?? "auto" }
}

/// `exact` or `segment`.
extension ActivationGrid: ExpressibleByArgument {}
