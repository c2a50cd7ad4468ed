public import Transport
public import ZeroMQ

/// Where a worker gets the weights that it has not, and whom it tells how far it is. Used on the thread that loads.
public struct WeightsSupply: Sendable {
    /// Who serves the model's files, and where.
    public var source: Peer
    /// Under which name they are asked for, in which cluster and epoch.
    public var node: NodeID
    public var clusterID: String
    public var epoch: Epoch
    /// Encrypts the link; nil for plain text.
    public var security: NodeSecurity?
    /// Ends a wait early, to ask `isAbandoned`.
    public var wake: [WakeSignal]
    /// Whether what is being loaded is no longer wanted.
    public var isAbandoned: @Sendable () -> Bool
    /// Hears how much of what is needed is there.
    public var report: @Sendable (LoadingProgress) -> Void
    /// Hears of bytes of weights that came over the network, and from whom.
    public var noteFetched: @Sendable (_ byteCount: Int, _ source: NodeID) -> Void
    /// Who has weights besides the source, at this moment; chunks only, for what is right only the source says.
    public var peers: @Sendable () -> [Peer] = { [] }
    /// Hears of those of them that are asked no more, and why.
    public var noteDropped: @Sendable (_ peer: Peer, _ problem: String) -> Void = { _, _ in }
    /// Where to put what is there, for others; nil if they get nothing.
    public var shelf: WeightsShelf?

    public init(
        source: Peer, node: NodeID, clusterID: String, epoch: Epoch, security: NodeSecurity? = nil,
        wake: [WakeSignal] = [], isAbandoned: @escaping @Sendable () -> Bool = { false },
        report: @escaping @Sendable (LoadingProgress) -> Void = { _ in },
        noteFetched: @escaping @Sendable (Int, NodeID) -> Void = { _, _ in }
    ) {
        self.source = source
        self.node = node
        self.clusterID = clusterID
        self.epoch = epoch
        self.security = security
        self.wake = wake
        self.isAbandoned = isAbandoned
        self.report = report
        self.noteFetched = noteFetched
    }
}
