import Kernels
import Transport

/// What a cluster on this machine is made of.
public struct LocalClusterOptions: Sendable {
    /// The GGUF file or folder; nil leaves it to the settings file.
    public var modelPath: String?
    /// A settings file such as cluster.yaml. Addresses, the number of workers and how they share stages are taken from
    /// here all the same.
    public var configurationFile: String?
    /// Of each replica.
    public var workerCount: Int
    /// How often the model is placed.
    public var replicaCount = 1
    /// Workers besides, which wait to take the place of one that is lost.
    public var spareCount = 0
    /// Whether spares load in advance what they may have to take over; false leaves it to the settings file.
    public var keepsSparesWarm = false
    /// What becomes of the cluster when a worker ends, once it is ready.
    public var workerLoss = WorkerLoss.endsCluster
    /// How many workers share each stage, `workerCount` in all; nil: one.
    public var placement: [Int]?
    /// Whether the coordinator plans which workers share what; some may have no part then.
    public var plansPlacement = false
    /// On which grid ternary models round activations; nil leaves it to the settings file.
    public var activationGrid: ActivationGrid?
    /// The instruction set of each worker, the last one of all further ones; empty leaves it to each worker.
    public var instructionSets: [InstructionSet] = []
    /// Whether ranks of one stage exchange their parts through shared memory, or over sockets as on several machines.
    public var sharesMemory = true
    public var threadsPerWorker: Int
    /// Where the coordinator speaks HTTP, HOST:PORT. Port 0 is any free one.
    public var http = "127.0.0.1:0"
    /// Where the coordinator takes workers, `tcp://HOST:PORT`. Port 0 is any free one.
    public var control = "tcp://127.0.0.1:0"
    /// Networks that workers have for themselves, in their order; empty: all have this process's.
    public var workerNetworks: [WorkerNetwork] = []
    /// Longest sequence, in tokens; nil for the coordinator's default.
    public var contextLength: Int?
    /// Whether requests go on from the KV of earlier ones; true leaves it to the settings file.
    public var reusesPrefixes = true
    /// How exactly the model's head is kept; nil leaves it to the settings file.
    public var headPrecision: HeadPrecision?
    /// How ternary weights lie in the workers' memory; nil leaves it to each worker.
    public var ternaryLayout: TernaryLayout?
    /// How the workers compute products with one row of activations, where the layout leaves a choice; nil leaves it to
    /// each worker.
    public var kernel: MatrixKernel?
    /// How they ask for weights in advance; nil leaves it to each worker.
    public var prefetch: Prefetch?
    /// Which files the workers take weights from; nil leaves it to each worker.
    public var weightsOrigin: WeightsOrigin?
    /// Where each worker has a folder, of its name, for what it keeps; nil: all keep it in this process's `RYZ_HOME`.
    public var workersFolder: String?
    /// Where each worker has a key file of its name; nil: they have none. The coordinator's keys are for the settings file.
    public var keysFolder: String?
    /// What the children log to standard error: `info`, `warning` and so on.
    public var logLevel = "warning"
    /// Where `ryz-coord` and `ryz-worker` are.
    public var programsFolder = Programs.ownFolder
    /// How long the coordinator may take until it listens.
    public var startTimeout = Duration.seconds(30)
    /// How long the workers may take until a token has passed through all of them.
    public var readyTimeout = Duration.seconds(600)
    /// How long the children may take to end by themselves, and then again after SIGTERM.
    public var stopTimeout = Duration.seconds(10)

    public init(modelPath: String?, workerCount: Int, threadsPerWorker: Int) {
        self.modelPath = modelPath
        self.workerCount = workerCount
        self.threadsPerWorker = threadsPerWorker
    }

    /// All worker processes.
    var processCount: Int { workerCount * replicaCount + spareCount }

    func coordinatorArguments() -> [String] {
        // The cluster ends with its coordinator.
        var arguments = ["--http", http, "--control", control, "--state", "none"]
        arguments += ["--workers", "\(workerCount)"]
        if let placement { arguments += ["--placement", placement.map(String.init).joined(separator: ",")] }
        if replicaCount > 1 { arguments += ["--replicas", "\(replicaCount)"] }
        if plansPlacement { arguments += ["--placement", "auto"] }
        if keepsSparesWarm { arguments += ["--spares", "warm"] }
        if let activationGrid { arguments += ["--activation-grid", activationGrid.rawValue] }
        if let configurationFile { arguments += ["--config", configurationFile] }
        if let modelPath { arguments += ["--model", modelPath] }
        if let contextLength { arguments += ["--context", "\(contextLength)"] }
        if !reusesPrefixes { arguments.append("--no-prefix-reuse") }
        if let headPrecision { arguments += ["--head", headPrecision.rawValue] }
        return arguments + ["--log-level", logLevel, "--end-with-parent"]
    }

    /// What a worker's environment has besides this process's own.
    func workerEnvironment(index: Int) -> [String: String] {
        var environment: [String: String] = [:]
        if let workersFolder { environment["RYZ_HOME"] = "\(workersFolder)/\(workerName(index: index))" }
        if let last = instructionSets.last {
            let forced = index < instructionSets.count ? instructionSets[index] : last
            environment[InstructionSet.environmentVariable] = forced.rawValue
        }
        return environment
    }

    func workerName(index: Int) -> String { "worker-\(index + 1)" }

    func workerArguments(index: Int, controlEndpoint: String, clusterID: String, cpus: [Int32]) -> [String] {
        var arguments = [
            "--coordinator", controlEndpoint, "--cluster", clusterID, "--name", workerName(index: index),
            "--threads", "\(threadsPerWorker)",
        ]
        if !cpus.isEmpty { arguments += ["--cpus", cpus.map(String.init).joined(separator: ",")] }
        if let keysFolder { arguments += ["--key", "\(keysFolder)/\(workerName(index: index)).key"] }
        if let ternaryLayout { arguments += ["--ternary-layout", ternaryLayout.rawValue] }
        if let kernel { arguments += ["--kernel", kernel.rawValue] }
        if let prefetch { arguments += ["--prefetch", prefetch.rawValue] }
        if !sharesMemory { arguments.append("--no-shared-memory") }
        if let weightsOrigin { arguments += ["--weights", weightsOrigin.rawValue] }
        // Between namespaces there is no loopback.
        if network(index: index) != nil, keysFolder == nil { arguments += ["--security", "none"] }
        return arguments + ["--log-level", logLevel, "--end-with-parent"]
    }

    /// The networks of workers that have one, by their names.
    public var networksByWorker: [String: WorkerNetwork] {
        Dictionary(uniqueKeysWithValues: workerNetworks.enumerated().map { (workerName(index: $0), $1) })
    }

    func network(index: Int) -> WorkerNetwork? { index < workerNetworks.count ? workerNetworks[index] : nil }
}
