import ArgumentParser
import Checkpoints
import ClusterCore
import CommandSupport
import CoordinatorRuntime
import Foundation
import HTTPAPI
import Inference
import Logging
import ModelTools
import ServiceLifecycle
import Tokenization
import Transport
import WeightTransfer
import ZeroMQ

@main
struct CoordinatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ryz-coord",
        abstract: "Runs a cluster's head node: places the model on workers and serves it over HTTP.",
        discussion: """
            Example:
              ryz-coord --config cluster.yaml

            Once it listens, one line on standard output says where: http=… control=…
            """)

    @Option(help: "The cluster's settings. By default cluster.yaml in this folder, if it is there.")
    var config: String?
    @Option(help: "The GGUF file or Hugging Face folder to serve; overrides the settings.")
    var model: String?
    @Option(help: "Where clients speak HTTP, HOST:PORT; overrides the settings. Port 0 is any free one.")
    var http: HostPort?
    @Option(help: "Where workers connect, such as tcp://127.0.0.1:7070; overrides the settings.")
    var control: String?
    @Option(help: "How many workers make up the pipeline; overrides the settings.")
    var workers: Int?
    @OptionGroup var placement: PlacementOptions
    @Option(help: "How often the model is placed, each time on as many workers; overrides the settings.")
    var replicas: Int?
    @Option(
        help:
            "What spares do while they wait: cold, or warm, with what they may take over loaded; overrides the settings."
    )
    var spares: SpareReadiness?
    @Flag(help: "Compute every prompt from its first token; overrides the settings.")
    var noPrefixReuse = false
    @Option(help: "Where open streams are written down, a folder, or none; overrides the settings.")
    var state: String?
    @Option(help: "Longest sequence, in tokens; overrides the settings.")
    var context: Int?
    @Option(help: "How exactly the model's head is kept, which changes answers; overrides the settings.")
    var head: HeadPrecision?
    @Flag(help: .hidden)
    var endWithParent = false
    @OptionGroup var logging: LoggingOptions

    func run() async throws {
        let settings = try settings()
        guard let path = settings.modelPath else {
            throw ValidationError("no model: give --model FILE, or model: in cluster.yaml")
        }
        let file = try ModelFile(path: path)
        let tokenizer = try Tokenizer(model: file)
        let codec = ModelTextCodec(model: file, tokenizer: tokenizer)
        let logger = logging.makeLogger("ryz-coord")
        if let problem = codec.templateProblem {
            logger.warning(
                "the model's chat template cannot be understood; chat requests are refused",
                metadata: ["problem": "\(problem)"])
        }
        let model = CoordinatedModel(file, head: settings.headPrecision, grid: settings.activationGrid)
        let keys = KeyFolder(path: settings.keysFolder ?? RyzHome.keysFolder)
        let isEncrypted = settings.security == .keys
        let coordinator = try CoordinatorRuntime.Coordinator(
            configuration: settings, model: model,
            weights: WeightsServer(
                node: .coordinator, clusterID: settings.clusterID,
                shelf: WeightsShelf(file, manifestFolder: RyzHome.manifestsFolder), logger: logger),
            security: isEncrypted ? NodeSecurity(keys: keys.coordinator().keys, allowed: keys.workers()) : nil,
            logger: logger)
        let clients = settings.wantsClientKeys ? ClientAccess(try keys.clients.keys()) : nil
        if clients == nil, !HostPort(host: settings.httpHost, port: settings.httpPort).isLoopback {
            logger.warning(
                "HTTP is open to all who reach it; http_security: keys has clients send a key",
                metadata: ["http": "\(settings.httpHost)"])
        }
        let server = HTTPServer(
            configuration: HTTPServerConfiguration(host: settings.httpHost, port: settings.httpPort),
            model: ServedModel(
                id: model.name, created: Int(Date().timeIntervalSince1970),
                contextLength: settings.resolvedContextLength(of: model),
                vocabularySize: file.configuration.vocabularySize,
                ownedBy: "ryzanstein"),
            engine: coordinator, codec: codec, access: clients, logger: logger)
        let reload = KeyReload(
            folder: keys, coordinator: isEncrypted ? coordinator : nil, clients: clients, logger: logger)
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: coordinator, successTerminationBehavior: .gracefullyShutdownGroup),
                    .init(service: server, successTerminationBehavior: .gracefullyShutdownGroup),
                    .init(service: reload, successTerminationBehavior: .ignore),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        if endWithParent { ParentWatch.start { Task { await group.triggerGracefulShutdown() } } }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                // When the server cannot listen, the group says why.
                guard let port = try? await server.port else { return }
                let address = HostPort(host: settings.httpHost, port: port)
                // Not print, which keeps what goes into a pipe until there is more of it.
                let line = "http=http://\(address) control=\(coordinator.controlEndpoint)\n"
                FileHandle.standardOutput.write(Data(line.utf8))
            }
            try await tasks.waitForAll()
        }
        // What has been sent last gets out before the process ends.
        _ = Context.shared.terminate(within: .milliseconds(500))
    }

    private func settings() throws -> ClusterConfiguration {
        let standard = "cluster.yaml"
        let file = config ?? (model == nil && FileManager.default.fileExists(atPath: standard) ? standard : nil)
        var settings = ClusterConfiguration()
        if let file {
            settings = try ClusterConfiguration.load(file: file, environment: ProcessInfo.processInfo.environment)
        }
        if let model { settings.modelPath = model }
        if let http { (settings.httpHost, settings.httpPort) = (http.host, http.port) }
        if let control { settings.controlEndpoint = control }
        try override(&settings)
        if let context {
            guard context > 0 else { throw ValidationError("--context \(context): give at least 1") }
            settings.contextLength = context
        }
        if let state { (settings.keepsState, settings.stateFolder) = (state != "none", state == "none" ? nil : state) }
        if settings.keepsState, settings.stateFolder == nil {
            settings.stateFolder = RyzHome.stateFolder(cluster: settings.clusterID)
        }
        if let spares { settings.spares = spares }
        if noPrefixReuse { settings.reusesPrefixes = false }
        if let head { settings.headPrecision = head }
        return settings
    }

    /// Workers and placement belong together, so what is said of either here replaces both; only workers that the file
    /// names stay, to fill the placement.
    private func override(_ settings: inout ClusterConfiguration) throws {
        if let workers {
            guard workers > 0 else { throw ValidationError("--workers \(workers): give at least 1") }
        }
        if let replicas {
            guard (1...64).contains(replicas) else { throw ValidationError("--replicas \(replicas): give 1 to 64") }
            settings.replicaCount = replicas
        }
        if placement.isPlanned { (settings.placement, settings.plansPlacement) = (nil, true) }
        if let workerCount = try placement.workerCount(workers) {
            (settings.placement, settings.plansPlacement) = (placement.ranks, placement.isPlanned)
            if case .named = settings.workers, workers == nil {} else { settings.workers = .count(workerCount) }
        }
        if let grid = placement.activationGrid { settings.activationGrid = grid }
    }
}

extension CoordinatedModel {
    /// What the coordinator needs to know of a model.
    init(_ model: ModelFile, head: HeadPrecision, grid: ActivationGrid) {
        let url = URL(fileURLWithPath: model.path).standardizedFileURL
        // A folder's name may have dots in it, such as bitnet-b1.58-2B-4T.
        let name = if case .gguf = model.source { url.deletingPathExtension() } else { url }
        var costs = ModelCosts(model, headPrecision: head, grid: grid)
        costs.name = name.lastPathComponent
        self.init(
            name: costs.name,
            file: ModelFileReference(
                path: url.path, byteCount: UInt64(model.byteCount),
                headerDigest: model.headerDigest),
            layerByteCounts: model.residentLayerByteCounts.map(UInt64.init),
            embeddingByteCount: UInt64(model.embeddingByteCount),
            headByteCount: UInt64(model.residentHeadByteCount(head)),
            keyValueByteCount: UInt64(
                2 * model.configuration.keyValueHeadCount * model.configuration.headDimension
                    * model.keyValuePrecision.byteCount),
            hiddenSize: model.configuration.hiddenSize,
            parts: RankParts(
                keyValueHeadCount: model.configuration.keyValueHeadCount,
                feedForwardSize: model.configuration.feedForwardSize,
                vocabularySize: model.configuration.vocabularySize),
            vocabularySize: model.configuration.vocabularySize,
            contextLength: model.configuration.contextLength,
            costs: costs)
    }
}

extension SpareReadiness: ExpressibleByArgument {}
