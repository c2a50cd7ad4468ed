/// What a worker is to hold and whom it talks to, in the envelope's epoch.
///
/// All ranks of a stage compute the same hidden states, so each rank of the next stage needs them from one only: rank j
/// gets them from rank j modulo the number of ranks here. The coordinator sends each step to every rank of stage 0. On
/// the last stage rank 0 answers for all.
public struct StageAssignment: Equatable, Sendable {
    public var modelFile: ModelFileReference
    /// Position in the pipeline, 0 first, and how many stages there are.
    public var stage: Int
    public var stageCount: Int
    /// Position among the ranks of the stage, 0 first.
    public var rank: Int
    /// All ranks of the stage in order, this one included; at least one.
    public var ranks: [StageRank]
    /// The layers to hold. Stage 0 also embeds; the last stage also has the final norm, the head and the sampler.
    public var layers: Range<Int>
    /// The ranks of the next stage to which this one passes hidden states on. May be none on ranks other than 0; is none on the
    /// last stage.
    public var next: [Peer]
    /// The node from which steps come: the coordinator for stage 0, else a rank of the stage before.
    public var previous: NodeID
    /// Longest sequence, in tokens.
    public var contextLength: Int
    /// KV cache to keep, in tokens over all sequences.
    public var keyValueTokenCapacity: Int
    /// Most rows in a step.
    public var maximumStepRowCount: Int
    /// How exactly the last stage keeps the head.
    public var headPrecision: HeadPrecision
    /// Settled for a whole cluster, as it changes the bits of the answers.
    public var activationGrid: ActivationGrid

    public init(
        modelFile: ModelFileReference, stage: Int, stageCount: Int, rank: Int, ranks: [StageRank], layers: Range<Int>,
        next: [Peer], previous: NodeID, contextLength: Int, keyValueTokenCapacity: Int, maximumStepRowCount: Int,
        headPrecision: HeadPrecision = .automatic, activationGrid: ActivationGrid = .exact
    ) {
        self.modelFile = modelFile
        self.stage = stage
        self.stageCount = stageCount
        self.rank = rank
        self.ranks = ranks
        self.layers = layers
        self.next = next
        self.previous = previous
        self.contextLength = contextLength
        self.keyValueTokenCapacity = keyValueTokenCapacity
        self.maximumStepRowCount = maximumStepRowCount
        self.headPrecision = headPrecision
        self.activationGrid = activationGrid
    }

    /// What of it says which part is to be loaded: all but who holds the other parts.
    private var part: StageAssignment {
        var part = self
        (part.next, part.previous) = ([], .coordinator)
        let nobody = Peer(node: .coordinator, dataEndpoint: "")
        for rank in part.ranks.indices { part.ranks[rank].peer = nobody }
        return part
    }

    /// Whether the part that was loaded for this assignment serves another one, too.
    public func needsSamePart(as other: StageAssignment) -> Bool { part == other.part }

    /// Equal for assignments that need the same part, and different for others as far as anyone will see. Never 0.
    public var partDigest: UInt64 { max(1, "\(part)".stableNumber) }

    public var isFirstStage: Bool { stage == 0 }
    public var isLastStage: Bool { stage == stageCount - 1 }
    /// Whether it sends the results of its stage to the coordinator.
    public var answers: Bool { isLastStage && rank == 0 }
}

/// One of the workers that share the layers of a stage, and what it holds of them.
public struct StageRank: Equatable, Sendable {
    public var peer: Peer
    public var share: RankShare

    public init(peer: Peer, share: RankShare) {
        self.peer = peer
        self.share = share
    }
}

/// A node and where its data plane listens.
public struct Peer: Equatable, Sendable {
    public var node: NodeID
    public var dataEndpoint: String
    /// Which machine, and which network namespace there, its process runs in: at most 128 printable characters. Ranks of
    /// one stage whose ids are equal and not empty exchange their parts through shared memory instead of sockets. Empty:
    /// unknown, or not wanted.
    public var hostID: String

    public init(node: NodeID, dataEndpoint: String, hostID: String = "") {
        self.node = node
        self.dataEndpoint = dataEndpoint
        self.hostID = hostID
    }
}
