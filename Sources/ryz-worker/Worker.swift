import ArgumentParser
import Checkpoints
import CommandSupport
import Kernels
import Logging
import ServiceLifecycle
import Transport
import WorkerRuntime
import ZeroMQ

@main
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ryz-worker",
        abstract: "Holds a part of the model and computes it.",
        discussion: """
            Example:
              ryz-worker --coordinator tcp://192.168.1.10:7070 --name big-box

            The coordinator may start before or after its workers. A model file is looked for where the coordinator has
            it, then in ${RYZ_HOME:-~/.ryz}/models. If it is in neither, what is needed of it is fetched from other
            workers and the coordinator, and kept in ${RYZ_HOME:-~/.ryz}/shards. RYZ_ISA=portable|avx2|avx512 forces an instruction set.
            """)

    @Option(help: "The coordinator's control endpoint, such as tcp://192.168.1.10:7070.")
    var coordinator: String
    @Option(help: "This worker's name in the cluster. By default the host's, with a random suffix.")
    var name: String?
    @Option(help: "Threads to compute with. By default the physical cores.")
    var threads: Int?
    @Option(
        help:
            "Where the data plane listens, such as tcp://192.168.1.11:7071. By default any free port of the address by which the coordinator is reached."
    )
    var data: String?
    @Option(help: "This worker's key file, as ryz keygen made it: links are encrypted, and the name is the key's.")
    var key: String?
    @Option(help: "With none, the data plane may listen, unencrypted, on any address that --data names.")
    var security: WorkerSecurity?
    @Flag(help: "Exchange parts with other workers on this machine over sockets, as if they were elsewhere.")
    var noSharedMemory = false
    @Option(help: "The cluster to join.")
    var cluster = "default"
    @Option(
        help:
            "Processors to pin threads to, such as 0,2,4. By default cores, if the threads take more than half of them."
    )
    var cpus: String?
    @OptionGroup var kernels: KernelOptions
    @Option(
        help:
            "Which files weights come from: local (a copy of the model on this machine), fetched (from other machines), or automatic: a copy if there is one."
    )
    var weights = WeightsOrigin.automatic
    @Option(
        help:
            "Most bytes of the disk for fetched weights, such as 40GiB; those unused for longest go first. By default half of what is free."
    )
    var cacheSize: ByteCount?
    @Option(
        help:
            "Where this worker serves what it has of the model to other workers, such as tcp://192.168.1.11:7072; none: nowhere. By default any free port of the address where the data plane listens."
    )
    var share: String?
    @Flag(help: .hidden)
    var endWithParent = false
    @OptionGroup var logging: LoggingOptions

    func run() async throws {
        let topology = Processor.topology
        let threadCount = threads ?? topology.cores.count
        let pinned = try pinnedProcessors(threadCount: threadCount, topology: topology)
        let instructionSet = try InstructionSet.selected()
        let logger = logging.makeLogger("ryz-worker")
        var configuration = WorkerConfiguration(
            coordinatorEndpoint: coordinator, cpuModel: Processor.modelName, instructionSet: instructionSet.rawValue,
            threadCount: threadCount)
        configuration.clusterID = cluster
        configuration.dataEndpoint = data
        configuration.allowsPlainText = security == WorkerSecurity.none
        configuration.sharesMemory = !noSharedMemory
        configuration.servesWeights = share != "none"
        configuration.weightsEndpoint = share == "none" ? nil : share
        configuration.manifestsFolder = RyzHome.manifestsFolder
        if let name {
            guard let node = NodeID(name) else {
                throw ValidationError(
                    "--name \(name): a name has 1 to 64 letters, digits, dots, dashes and underscores")
            }
            configuration.name = node
        }
        if let key { try secure(&configuration, by: KeyFile(path: key)) }
        var loader = StageLoader(
            threadCount: threadCount, cpus: pinned, instructionSet: instructionSet, modelsFolder: RyzHome.modelsFolder,
            ternaryLayout: kernels.layout)
        loader.kernel = kernels.kernel
        loader.prefetch = kernels.prefetch
        loader.tuningFolder = RyzHome.tuningFolder
        loader.weightsOrigin = weights
        loader.shardCache = ShardCache(folder: RyzHome.shardsFolder, limitByteCount: cacheSize?.value)
        loader.logger = logger
        let bar = ProgressBar()
        loader.onProgress = { bar.show($0) }
        let worker = try WorkerRuntime.Worker(
            configuration: configuration, logger: logger,
            meter: { [loader] again throws(StageError) in try loader.measure(again: again) },
            loader: { [loader] assignment, group, supply throws(StageError) in
                try loader.load(assignment, group, supply)
            })
        if endWithParent { ParentWatch.start { worker.stop() } }
        try await ServiceGroup(
            configuration: .init(
                services: [.init(service: worker, successTerminationBehavior: .gracefullyShutdownGroup)],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        ).run()
        // What has been sent last, such as the leave, gets out before the process ends.
        _ = Context.shared.terminate(within: .milliseconds(500))
    }

    private func secure(_ configuration: inout WorkerConfiguration, by file: KeyFile) throws {
        guard security == nil else { throw ValidationError("--key and --security none: give only one of them") }
        guard name == nil || configuration.name == file.node else {
            throw ValidationError("--name \(configuration.name): the key is that of \(file.node); leave --name out")
        }
        guard let coordinator = file.coordinatorKey else {
            throw ValidationError("--key \(file.path): it is the coordinator's key; give this worker's")
        }
        configuration.name = file.node
        configuration.security = try NodeSecurity(
            keys: file.keys, allowed: [NodeKey(node: .coordinator, publicKey: coordinator)])
    }

    /// Threads are pinned where the user says, or when there are so many that they have the machine to themselves.
    private func pinnedProcessors(threadCount: Int, topology: ProcessorTopology) throws -> [Int32] {
        guard (1...1024).contains(threadCount) else { throw ValidationError("--threads \(threadCount): use 1 to 1024") }
        guard let cpus else { return topology.defaultProcessors(threadCount: threadCount) }
        let allowed = Set(Processor.allowed)
        let numbers = cpus.split(separator: ",").map { Int32($0) }
        let chosen = numbers.compactMap(\.self)
        guard chosen.count == numbers.count, chosen.allSatisfy(allowed.contains), chosen.count >= threadCount else {
            throw ValidationError(
                "--cpus \(cpus): give at least \(threadCount) of \(allowed.sorted().map(String.init).joined(separator: ","))"
            )
        }
        return chosen
    }
}

/// What `--security` may say.
enum WorkerSecurity: String, ExpressibleByArgument, CaseIterable {
    case none
}
