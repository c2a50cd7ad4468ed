import ClusterCore
import Transport

/// What an operator decides about a cluster: `cluster.yaml`, and what stands on the command line instead.
///
/// Every setting but the model has a default, so that an empty file serves with a model named on the command line.
public struct ClusterConfiguration: Sendable, Equatable {
    /// Nodes that were started for another cluster are refused. 1 to 64 characters of `A–Z a–z 0–9 . _ -`.
    public var clusterID = "default"
    /// The GGUF file or folder, with `~` and `${RYZ_HOME}` replaced; nil if it is named elsewhere.
    public var modelPath: String?
    public var httpHost = "127.0.0.1"
    /// 0 takes any free port.
    public var httpPort = 8080
    /// Where workers connect first, such as `tcp://192.168.1.10:7070`.
    public var controlEndpoint = "tcp://127.0.0.1:7070"
    /// Where results arrive; nil takes any free port on the control endpoint's host.
    public var dataEndpoint: String?
    /// Where workers get the model's files that they have not; nil takes any free port where results arrive.
    public var weightsEndpoint: String?
    /// The host name or address under which workers reach this machine, if it listens on all of its addresses.
    public var advertisedHost: String?
    /// How links to workers are secured; nil: they are plain text, and do not leave this machine.
    public var security: LinkSecurity?
    /// Whether clients need a key to speak HTTP.
    public var wantsClientKeys = false
    /// The folder with the cluster's keys, with `~` and `${RYZ_HOME}` replaced; nil if it is named elsewhere.
    public var keysFolder: String?
    /// Which workers make up the pipeline, as the operator says; nil leaves it to the placement.
    public var selection: WorkerSelection?
    /// How many ranks each stage has, 1 to 64 each and 256 in all; nil: one, in as many stages as there are workers.
    public var placement: [Int]?
    /// How exactly the model's head is kept. It changes the bits of the answers, for all shapes of the cluster alike.
    public var headPrecision = HeadPrecision.automatic
    /// On which grid ternary models round activations. It changes the bits of the answers likewise.
    public var activationGrid = ActivationGrid.exact
    /// Whether the placement is planned from what workers and links measure; there is none given then.
    public var plansPlacement = false
    /// How often the model is placed, each time on workers and a placement as above.
    public var replicaCount = 1
    /// What a planned placement is to be best at. For throughput it is also planned how often the model is placed.
    public var objective = PlanObjective.latency
    /// Streams that decode at a time, for the throughput; nil: 8.
    public var concurrency: Int?
    /// Whether links between workers are measured without a request, while nothing is computed.
    public var measuresLinks = true
    /// What plans have to go by besides placement and workers.
    public var planning = PlanConstraints()
    /// Longest sequence, in tokens; nil takes the model's, at most 8192.
    public var contextLength: Int?
    /// KV cache of every stage, in tokens over all sequences; nil takes twice the context.
    public var keyValueTokenCapacity: Int?
    /// Most sequences that run at a time.
    public var maximumRunningCount = 8
    /// Most requests that wait.
    public var queueLimit = 64
    /// Whether requests go on from the KV that is kept of earlier ones which begin with the same tokens.
    public var reusesPrefixes = true
    /// Most rows in a step; nil takes 512, or fewer for a model whose hidden states would not fit a message.
    public var maximumStepRowCount: Int?
    public var heartbeatInterval = Duration.milliseconds(250)
    /// A worker that is silent for this long is lost.
    public var detectionBound = Duration.seconds(2)
    public var stepTimeout = Duration.seconds(30)
    public var loadingTimeout = Duration.seconds(600)
    public var probeInterval = Duration.seconds(5)
    /// How long a lost worker is waited for before the model is placed on fewer, where nobody has fixed the placement.
    public var replanDelay = Duration.seconds(5)
    /// How long requests wait for another placement when theirs is gone.
    public var outageLimit = Duration.seconds(60)
    /// How often a request may be computed anew after losses.
    public var rebuildLimit = 8

    /// Whether workers are brought in by themselves when the model is placed on fewer than wanted.
    public var rebalancing = Rebalancing.auto
    /// How long that waits for a moment without requests.
    public var rebalancingDelay = Duration.seconds(30)
    /// What spares do while they wait.
    public var spares = SpareReadiness.cold
    /// How long open requests may go on when the cluster is shut down.
    public var shutdownLimit = Duration.seconds(30)

    /// The folder where streams outlive the coordinator, with `~` and `${RYZ_HOME}` replaced; nil: they end with it, or it is
    /// named elsewhere.
    public var stateFolder: String?
    /// Whether there is to be such a folder.
    public var keepsState = true
    /// How long a streamed answer can be read again after its end.
    public var streamKeeping = Duration.seconds(300)
    /// How many such answers there are at most.
    public var keptStreamCount = 64

    public init() {}

    /// Which workers make up the pipeline, given or derived.
    public var workers: WorkerSelection {
        get { selection ?? .count(placement?.reduce(0, +) ?? 1) }
        set { selection = newValue }
    }

    /// Whether it is planned how often the model is placed.
    var plansReplicas: Bool { plansPlacement && objective == .throughput }
}

/// When the model is placed on more workers, where it is placed on fewer than wanted and others have come.
public enum Rebalancing: String, CaseIterable, Sendable {
    /// When nothing runs, or after a while.
    case auto
    /// When the operator says so.
    case manual
}

/// What spares do while they wait.
public enum SpareReadiness: String, CaseIterable, Sendable {
    /// They load nothing until they take over.
    case cold
    /// They load in advance what they may have to take over.
    case warm
}

/// How links between nodes are secured.
public enum LinkSecurity: String, CaseIterable, Sendable {
    /// They are not: plain text, wherever they go.
    case none
    /// They are encrypted, and only nodes whose keys are known may connect.
    case keys
}

/// Whose requests are answered over HTTP.
enum ClientSecurity: String, CaseIterable, Sendable {
    /// Everyone's who reaches the port.
    case none
    /// Those that carry a known key.
    case keys
}

/// A setting's key in `cluster.yaml`.
enum Setting: String, CaseIterable {
    case cluster, model, http, control, data, weights, advertise
    case security, keys
    case httpSecurity = "http_security"
    case workers, placement, replicas, objective, concurrency, planning, head
    case measureLinks = "measure_links"
    case activationGrid = "activation_grid"
    case contextLength = "context_length"
    case keyValueTokens = "kv_tokens"
    case maximumRunning = "maximum_running"
    case queueLimit = "queue_limit"
    case reusePrefixes = "reuse_prefixes"
    case stepRows = "step_rows"
    case heartbeatSeconds = "heartbeat_seconds"
    case detectionSeconds = "detection_seconds"
    case stepTimeoutSeconds = "step_timeout_seconds"
    case loadingTimeoutSeconds = "loading_timeout_seconds"
    case probeSeconds = "probe_seconds"
    case replanSeconds = "replan_seconds"
    case failoverSeconds = "failover_seconds"
    case rebuildLimit = "rebuild_limit"
    case rebalance, spares, state
    case streamKeepSeconds = "stream_keep_seconds"
    case streamKeepCount = "stream_keep_count"
    case rebalanceSeconds = "rebalance_seconds"
    case shutdownSeconds = "shutdown_seconds"
}
