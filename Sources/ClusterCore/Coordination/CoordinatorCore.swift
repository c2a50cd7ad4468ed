import Transport

/// All that the coordinator decides: membership, placement and scheduling, and how they act on each other.
///
/// The model is there once or several times, as replicas with a placement and a scheduler each; a balancer spreads
/// requests over them. Epochs are counted over all of them, so that an epoch tells a replica.
///
/// A shell feeds it messages, requests and the time, and does what its effects say, in their order. `Connection` is what
/// control messages come from and are answered to.
public struct CoordinatorCore<Connection: Hashable & Sendable>: Sendable {
    public let configuration: CoordinationConfiguration
    public internal(set) var membership: Membership<Connection>
    /// At least one.
    public internal(set) var replicas: [Replica]
    /// Which worker belongs to which of them.
    var teams: Teams
    public internal(set) var survey: Survey
    var weights: WeightsDirectory
    /// Frames that were refused here; those that the links refused are not among them.
    public internal(set) var drops = DropCounters()
    /// The newest epoch that was opened; before the first, the one before it.
    public internal(set) var epoch: Epoch
    /// Whether it is settled how many replicas there are.
    var isParted: Bool
    /// When that is settled for those that are there, because requests wait.
    var partingDeadline: Instant?
    /// The revision of the survey that the placements have; nil if they are to be given it anew.
    var plannedRevision: Int? = 0
    /// Nil until the cluster is to end.
    var shutdown: Shutdown?

    /// - Throws: `PlanningError` if the layers that the operator gave to workers do not fit the model.
    public init(configuration: CoordinationConfiguration) throws(PlanningError) {
        self.configuration = configuration
        membership = Membership(configuration: configuration.membership)
        replicas = []
        for index in 0..<configuration.replicaCount {
            replicas.append(try Replica(configuration.placement(ofReplica: index), configuration.scheduler))
        }
        epoch = replicas[0].placement.epoch
        teams = Teams(
            count: replicas.count, homes: configuration.homes, isSettled: configuration.placement.selection.isNamed)
        isParted = configuration.placement.planning?.plansReplicas != true
        weights = WeightsDirectory(headerDigest: configuration.placement.modelFile.headerDigest)
        survey = Survey(
            measuresLinksByItself: configuration.measuresLinks,
            needsRates: configuration.placement.planning != nil)
    }

    /// When `tick` has something to do next, if nothing else happens.
    public var nextDeadline: Instant? {
        // Nothing is planned before all is measured, for which the survey has a deadline of its own.
        let own = [
            membership.nextDeadline, survey.nextDeadline, rebalancingDeadline,
            survey.pendingCount == 0 ? partingDeadline : nil, shutdown?.deadline,
        ]
        return (own + replicas.map(\.nextDeadline)).compactMap(\.self).min()
    }

    public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        decide(event, at: now) + apply(survey.handle(.proceed(activity), at: now)) + plan(at: now)
            + moveWorkers(at: now) + bringIn(at: now) + moveRequests(at: now) + proceedWithShutdown(at: now)
    }

    private mutating func decide(_ event: Event, at now: Instant) -> [Effect] {
        switch event {
        case .control(let envelope, let connection):
            return take(envelope, from: connection, at: now)
        case .otherVersion(let theirs, let node, let connection):
            let reason =
                "\(node) speaks protocol version \(theirs), this cluster \(Envelope.protocolVersion); "
                + "install the same release on all machines"
            drops.count(.otherVersion, from: node.name)
            return refuse(node, connection, reason: reason)
        case .keysChanged(let keyring, let revoked):
            let effects = revoked.flatMap { apply(membership.handle(.revoked($0), at: now), at: now) }
            return effects
                + membership.members.compactMap { membership.connection(of: $0.node) }.map { connection in
                    .answer(envelope(.keyring(keyring)), to: connection)
                }
        case .closed(let node, let connection):
            return apply(membership.handle(.closed(node, connection), at: now), at: now)
        case .data(let envelope):
            return takeData(envelope, at: now)
        case .stepNotSent(let step, let epoch, let node, let error):
            return noteNotSent(step, in: epoch, to: node, error, at: now)
        case .restored(let ticket, let work, let committed):
            return restore(ticket, work, committed: committed, at: now)
        case .submitted(let ticket, let work, let committed):
            return submit(ticket, work, committed: committed, at: now)
        case .cancelled(let ticket):
            return replicas.indices.flatMap { schedule(.cancelled(ticket), on: $0, at: now) }
        case .operation(let operation):
            return operate(operation, at: now)
        case .tick:
            for index in replicas.indices { replicas[index].breaker.tick(at: now) }
            let members = apply(membership.handle(.tick, at: now), at: now)
            return members
                + replicas.indices.flatMap { place(.tick, in: $0, at: now) }
                + replicas.indices.flatMap { schedule(.tick, on: $0, at: now) }
        }
    }
}

extension CoordinatorCore {
    /// Handles an event and all that follows from it, in order. Steps of an epoch that ends on the way are dropped: to
    /// offer each to a stage that takes nothing would hold up everything else.
    ///
    /// - Parameter perform: does what an effect says; returns what that led to, if it matters here.
    public mutating func run(_ event: Event, at now: () -> Instant, perform: (Effect) -> Event?) {
        var effects = handle(event, at: now())
        var next = 0
        while next < effects.count {
            let effect = effects[next]
            next += 1
            if case .sendStep(let envelope, _, _) = effect, servingReplica(of: envelope.epoch) == nil { continue }
            if let event = perform(effect) { effects += handle(event, at: now()) }
        }
    }

    /// Whether any replica serves.
    public var isServing: Bool { replicas.contains { $0.placement.isServing } }

    /// Whether a pipeline is being loaded that takes over from another one.
    var isRecovering: Bool { replicas.contains { $0.scheduler.isInterrupted } && replicas.contains(where: \.isLoading) }

    /// The replica whose pipeline has that epoch; nil if none has.
    func replica(of epoch: Epoch) -> Int? { replicas.firstIndex { $0.placement.pipeline?.epoch == epoch } }

    /// The same, if it serves.
    public func servingReplica(of epoch: Epoch) -> Int? {
        replica(of: epoch).flatMap { replicas[$0].placement.isServing ? $0 : nil }
    }

    /// A replica, as people read it, where there are several; empty if there is one.
    func label(_ index: Int) -> String { replicas.count > 1 ? "replica \(index): " : "" }

    /// Why no replica serves.
    func unavailability(at now: Instant) -> String {
        replicas.indices.map { label($0) + replicas[$0].unavailability(at: now) }.joined(separator: "; ")
    }

    func envelope(_ body: Envelope.Body, epoch: Epoch? = nil) -> Envelope {
        Envelope(clusterID: configuration.clusterID, epoch: epoch ?? self.epoch, sender: .coordinator, body: body)
    }

    func refuse(_ node: NodeID, _ connection: Connection, reason: String) -> [Effect] {
        [
            .answer(envelope(.refusal(Refusal(reason: reason))), to: connection),
            .notice(.refused(node, reason: reason)),
        ]
    }
}
