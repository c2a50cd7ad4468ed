import FoundationEssentials
import Transport
import ZeroMQ

/// What a worker is told at its start.
public struct WorkerConfiguration: Sendable {
    /// The coordinator's control endpoint, such as `tcp://192.168.1.10:7070`.
    public var coordinatorEndpoint: String
    /// This worker's name in the cluster; see `WorkerConfiguration.defaultName()`.
    public var name: NodeID
    public var clusterID = "default"
    /// Where the data plane listens, such as `tcp://192.168.1.11:7071`. Nil: any free port of the address that reaches
    /// the coordinator, which is loopback if the coordinator is there. A wildcard is announced as that address.
    public var dataEndpoint: String?
    /// Whether other workers may have what this one holds of a model's files.
    public var servesWeights = true
    /// Where it serves them; as `dataEndpoint`, but nil takes any free port of the address of that.
    public var weightsEndpoint: String?
    /// Where manifests of model files are kept that were hashed for others; nil for nowhere.
    public var manifestsFolder: String?
    /// Encrypts all links; it knows the coordinator's key. Nil: they are plain text.
    public var security: NodeSecurity?
    /// Whether the data plane may listen, unencrypted, on other addresses than loopback and the one that reaches the
    /// coordinator.
    public var allowsPlainText = false
    /// Whether ranks of one stage on this machine may exchange their parts through shared memory.
    public var sharesMemory = true
    public var cpuModel: String
    /// The instruction set that the kernels run on: `portable`, `avx2` or `avx512`.
    public var instructionSet: String
    public var threadCount: Int
    /// How long `run()` waits at its end for a step or a loading stage before it leaves its thread behind.
    public var shutdownTimeout: Duration = .seconds(5)
    public var dataLinks = DataLinkLimits()
    public var control = ControlLimits()

    public init(
        coordinatorEndpoint: String, name: NodeID = WorkerConfiguration.defaultName(), cpuModel: String,
        instructionSet: String, threadCount: Int
    ) {
        self.coordinatorEndpoint = coordinatorEndpoint
        self.name = name
        self.cpuModel = cpuModel
        self.instructionSet = instructionSet
        self.threadCount = threadCount
    }

    /// The machine's host name with a random suffix, so that several workers on one machine differ.
    public static func defaultName() -> NodeID {
        let suffix = String(UInt32.random(in: 0x1000...0xffff), radix: 16)
        // A host name's own letters are those of a node name, but the kernel takes any bytes.
        let stem = HostName.current.filter { NodeID(String($0)) != nil }.prefix(59)
        return NodeID("\(stem.isEmpty ? "worker" : stem)-\(suffix)") ?? NodeID("worker-\(suffix)") ?? .coordinator
    }
}

/// The name of this machine.
enum HostName {
    /// As the kernel has it; empty if it can't be read.
    static var current: String {
        let text = (try? String(contentsOfFile: "/proc/sys/kernel/hostname", encoding: .utf8)) ?? ""
        return String(text.prefix { !$0.isNewline })
    }
}
