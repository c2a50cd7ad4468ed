import ArgumentParser
import CommandSupport
import Kernels
import LocalCluster

/// How many workers a cluster on this machine has, and how they share the model.
struct LocalClusterShape: ParsableArguments {
    @Option(help: "How many workers share the model.")
    var workers: Int?
    @OptionGroup var placement: PlacementOptions
    @Option(help: "How often the model is placed, each time on as many workers; requests are spread over the replicas.")
    var replicas = 1
    @Option(
        name: .customLong("worker-isa"),
        help: ArgumentHelp(
            "The instruction set of each worker in order, such as avx2,avx512; the last one holds for the rest. By default each takes the best.",
            valueName: "sets"))
    var instructionSets: InstructionSetList?
    @Flag(help: "Let ranks of one stage exchange their parts over sockets, as on several machines.")
    var noSharedMemory = false

    /// As the options say; nil if they say nothing.
    var workerCount: Int? { get throws { try placement.workerCount(workers) } }

    /// Whether any option was given.
    var isGiven: Bool { needsCluster || placement.activationGrid != nil }

    /// Whether an option was given that says something of workers.
    var needsCluster: Bool {
        workers != nil || replicas > 1 || placement.ranks != nil || placement.isPlanned || instructionSets != nil
            || noSharedMemory
    }

    func validate() throws {
        try ThreadOptions.check(workers, "--workers", in: 1...256)
        try ThreadOptions.check(replicas, "--replicas", in: 1...64)
        _ = try workerCount
    }

    /// A cluster of that shape.
    ///
    /// - Parameters:
    ///   - defaultWorkerCount: workers of each replica, unless the options say how many.
    ///   - threadsPerWorker: nil parts all cores among the workers.
    func clusterOptions(
        modelPath: String?, defaultWorkerCount: Int, threadsPerWorker: Int? = nil
    ) throws -> LocalClusterOptions {
        let workerCount = try workerCount ?? defaultWorkerCount
        var options = LocalClusterOptions(
            modelPath: modelPath, workerCount: workerCount,
            threadsPerWorker: ThreadOptions.threadsPerWorker(
                threadsPerWorker, workerCount: workerCount * replicas))
        options.replicaCount = replicas
        options.placement = placement.ranks
        options.plansPlacement = placement.isPlanned
        options.activationGrid = placement.activationGrid
        options.instructionSets = instructionSets?.sets ?? []
        options.sharesMemory = !noSharedMemory
        return options
    }
}

/// Instruction sets that this processor has, as in `avx2,avx512`.
struct InstructionSetList: ExpressibleByArgument {
    let sets: [InstructionSet]

    init?(argument: String) {
        let names = argument.split(separator: ",", omittingEmptySubsequences: false)
        sets = names.compactMap { InstructionSet(rawValue: String($0)) }
        guard sets.count == names.count, sets.allSatisfy({ $0 <= .best }) else { return nil }
    }

    static var allValueStrings: [String] { InstructionSet.allCases.filter { $0 <= .best }.map(\.rawValue) }
}
