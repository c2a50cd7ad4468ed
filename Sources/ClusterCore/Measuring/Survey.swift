public import Transport

/// What the workers have measured of themselves and of the links between them, and what they are to measure next.
///
/// A worker measures itself when it starts, and says so when it joins. Links are measured once two workers are there, one
/// pair at a time, whenever nothing has been computed for a little while; all is measured anew on request. Of up to
/// 16 workers every pair is measured, of more, each with its next few in order of name.
public struct Survey: Sendable {
    /// Pairs of workers that are measured; but each worker with one other at the least.
    public static let pairLimit = 128
    /// How long nothing must have been computed.
    static let calm: Duration = .milliseconds(500)
    /// A worker has so long to say that it answers, or what it has measured.
    static let orderTimeout: Duration = .seconds(15)
    /// What fails as often is not tried again by itself.
    static let attemptLimit = 3
    /// A worker that was asked in vain how fast it is, is asked again after so long.
    static let ratesPatience: Duration = .seconds(60)
    /// How often to look whether the coordinator's own token has passed.
    static let probePatience: Duration = .milliseconds(100)
    /// Problems that are kept; of more the oldest go.
    static let problemLimit = 64

    struct Node: Sendable, Equatable {
        var peer: Peer
        var threadCount: Int
        var memoryByteCount: UInt64
        var rates: NodeRates?
    }

    /// In order of name.
    private(set) var nodes: [Node] = []
    /// In order of both names.
    public private(set) var links: [Link] = []
    /// Changes with everything that a plan depends on.
    public private(set) var revision = 0
    /// What could not be measured, for people.
    public private(set) var problems: [String] = []
    private var pending: [(task: Task, attemptCount: Int)] = []
    private var current: Current?
    private var attemptCount = 0
    private var lastNumber: UInt64 = 0
    private var calmSince: Instant?
    /// When there may be calm enough to begin, as it looked last; nil while there is work.
    private var lookAgainAt: Instant?
    /// When workers are asked how fast they are, unless they have said so by then.
    private var ratesDueAt: [NodeID: Instant] = [:]
    private let measuresLinksByItself: Bool
    private let needsRates: Bool

    /// - Parameters:
    ///   - measuresLinksByItself: whether links are measured without a request.
    ///   - needsRates: whether a worker is asked how fast it is if it does not say so by itself, as when its report was
    ///     lost.
    public init(measuresLinksByItself: Bool = true, needsRates: Bool = false) {
        self.measuresLinksByItself = measuresLinksByItself
        self.needsRates = needsRates
    }

    /// What is still to be measured, and is measured now.
    public var pendingCount: Int { pending.count + (current == nil ? 0 : 1) }

    /// What a worker measured of itself; nil if it has not said so.
    public func rates(of node: NodeID) -> NodeRates? { nodes.first { $0.peer.node == node }?.rates }

    /// Whether two workers that are there can share memory.
    public func sharesMemory(_ first: NodeID, _ second: NodeID) -> Bool {
        let ids = nodes.filter { $0.peer.node == first || $0.peer.node == second }.map(\.peer.hostID)
        return ids.count == 2 && ids[0] == ids[1] && !ids[0].isEmpty
    }

    /// When `proceed` has something to do next, if nothing else happens.
    public var nextDeadline: Instant? {
        let own = current?.deadline ?? (pending.isEmpty ? nil : lookAgainAt)
        return [own, ratesDueAt.values.min()].compactMap(\.self).min()
    }

    public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        let before = (nodes, links)
        defer { if before != (nodes, links) { revision += 1 } }
        return decide(event, at: now)
    }

    private mutating func decide(_ event: Event, at now: Instant) -> [Effect] {
        switch event {
        case .joined(let peer, let hello):
            remove(peer.node)
            let index = nodes.firstIndex { $0.peer.node > peer.node } ?? nodes.endIndex
            nodes.insert(
                Node(peer: peer, threadCount: hello.threadCount, memoryByteCount: hello.memoryByteCount), at: index)
            if needsRates { ratesDueAt[peer.node] = now.advanced(by: Self.orderTimeout) }
            if measuresLinksByItself { askForLinks() }
            return []
        case .returned(let peer):
            if let index = nodes.firstIndex(where: { $0.peer.node == peer.node }) { nodes[index].peer = peer }
            return []
        case .gone(let node):
            remove(node)
            return []
        case .reported(let node, let report):
            return take(report, from: node, at: now)
        case .proceed(let activity):
            return proceed(activity, at: now)
        }
    }

    /// Whether something is being measured.
    public var isMeasuring: Bool { current != nil }

    /// Wants everything measured anew.
    public mutating func restart() {
        problems = []
        current = nil
        pending = nodes.map { (.node($0.peer.node), 0) } + pairs.map { (.link($0.0, $0.1), 0) }
    }
}

extension Survey {
    /// The pairs of workers that are measured, in order.
    var pairs: [(NodeID, NodeID)] {
        let names = nodes.map(\.peer.node)
        guard names.count > 1 else { return [] }
        guard names.count * (names.count - 1) / 2 > Self.pairLimit else {
            return names.indices.flatMap { first in names[(first + 1)...].map { (names[first], $0) } }
        }
        let distances = 1...max(1, Self.pairLimit / names.count)
        return distances.flatMap { distance in
            names.indices.map { first in
                let second = (first + distance) % names.count
                return (names[min(first, second)], names[max(first, second)])
            }
        }
    }

    /// Has all pairs measured that are not, and forgets those that are of no use in a cluster that has grown.
    private mutating func askForLinks() {
        let wanted = pairs.map { Task.link($0.0, $0.1) }
        let useful = Set(wanted)
        links.removeAll { !useful.contains(.link($0.first, $0.second)) }
        pending.removeAll { entry in
            if case .link = entry.task { !useful.contains(entry.task) } else { false }
        }
        let known = Set(
            links.map { Task.link($0.first, $0.second) } + pending.map(\.task) + (current.map { [$0.task] } ?? []))
        pending += wanted.filter { !known.contains($0) }.map { ($0, 0) }
    }

    /// What was measured between two workers, in either order.
    func link(_ first: NodeID, _ second: NodeID) -> MeasuredLink? {
        let (first, second) = (min(first, second), max(first, second))
        return links.first { $0.first == first && $0.second == second }?.measurement
    }

    private mutating func remove(_ node: NodeID) {
        nodes.removeAll { $0.peer.node == node }
        ratesDueAt[node] = nil
        links.removeAll { $0.first == node || $0.second == node }
        pending.removeAll { $0.task.involves(node) }
        if current?.task.involves(node) == true { current = nil }
    }

    /// Wants those measured that have not said for too long how fast they are: what they said may have been lost.
    private mutating func askForRates(_ activity: Activity, at now: Instant) {
        for node in nodes.map(\.peer.node) {
            guard let due = ratesDueAt[node], due <= now else { continue }
            // What waits to be measured keeps everything from being planned, so it is not added before it can be.
            guard activity != .busy else {
                ratesDueAt[node] = now.advanced(by: Self.orderTimeout)
                continue
            }
            ratesDueAt[node] = now.advanced(by: Self.ratesPatience)
            let task = Task.node(node)
            if current?.task != task, !pending.contains(where: { $0.task == task }) { pending.append((task, 0)) }
        }
    }

    private mutating func proceed(_ activity: Activity, at now: Instant) -> [Effect] {
        askForRates(activity, at: now)
        if let current, now >= current.deadline {
            return fail("it did not say what it measured within \(Self.orderTimeout.tenths) s")
                + proceed(activity, at: now)
        }
        guard activity != .busy else {
            (calmSince, lookAgainAt) = (nil, nil)
            return []
        }
        let since = calmSince ?? now
        calmSince = since
        let calmAt = since.advanced(by: Self.calm)
        lookAgainAt = activity == .idle ? calmAt : max(calmAt, now.advanced(by: Self.probePatience))
        guard current == nil, activity == .idle, since.duration(to: now) >= Self.calm, !pending.isEmpty else {
            return []
        }
        let next = pending.removeFirst()
        attemptCount = next.attemptCount
        switch next.task {
        case .node(let node):
            return [begin(next.task, awaitsAnswering: false, .node, by: node, at: now)]
        case .link(let first, let second):
            guard let asking = peer(first) else { return [] }
            return [begin(next.task, awaitsAnswering: true, .answering(asking), by: second, at: now)]
        }
    }

    private mutating func begin(
        _ task: Task, awaitsAnswering: Bool, _ order: MeasurementOrder.Task, by node: NodeID, at now: Instant
    ) -> Effect {
        lastNumber += 1
        current = Current(
            task: task, number: lastNumber, awaitsAnswering: awaitsAnswering,
            deadline: now.advanced(by: Self.orderTimeout))
        return .order(node, MeasurementOrder(number: lastNumber, task: order))
    }

    private mutating func take(_ report: MeasurementReport, from node: NodeID, at now: Instant) -> [Effect] {
        guard let index = nodes.firstIndex(where: { $0.peer.node == node }) else { return [.unexpected(node)] }
        if report.number == 0 {
            switch report.result {
            case .node(let rates): return takeUnasked(rates, ofNodeAt: index)
            case .problem(let problem):
                // It would not go better if it were asked.
                ratesDueAt[node] = nil
                return [note("\(node): \(problem)")]
            case .link, .answering: return [.unexpected(node)]
            }
        }
        guard let current, current.number == report.number, current.task.involves(node) else {
            // Of an order that was given up. How fast a worker is holds all the same.
            guard report.number <= lastNumber else { return [.unexpected(node)] }
            if case .node(let rates) = report.result { return takeUnasked(rates, ofNodeAt: index) }
            return []
        }
        switch (current.task, report.result) {
        case (let task, .problem(let problem)):
            if case .node = task { ratesDueAt[node] = nil }
            return fail("\(node): \(problem)")
        case (.node, .node(let rates)):
            note(rates, ofNodeAt: index)
            return finish()
        case (.link(let first, let second), .answering) where node == second && current.awaitsAnswering:
            guard let answering = peer(second) else { return [] }
            self.current?.awaitsAnswering = false
            self.current?.deadline = now.advanced(by: Self.orderTimeout)
            return [.order(first, MeasurementOrder(number: current.number, task: .link(answering)))]
        case (.link(let first, let second), .link(let measurement, let other))
        where node == first && other == second && !current.awaitsAnswering:
            links.removeAll { $0.first == first && $0.second == second }
            let place = links.firstIndex { ($0.first, $0.second) > (first, second) } ?? links.endIndex
            links.insert(Link(first: first, second: second, measurement: measurement), at: place)
            return finish()
        default: return [.unexpected(node)]
        }
    }

    /// Nobody has to ask that worker any more.
    private mutating func takeUnasked(_ rates: NodeRates, ofNodeAt index: Int) -> [Effect] {
        note(rates, ofNodeAt: index)
        let count = pending.count
        pending.removeAll { $0.task == .node(nodes[index].peer.node) }
        return pending.count < count && pending.isEmpty && current == nil ? [.finished] : []
    }

    private mutating func note(_ rates: NodeRates, ofNodeAt index: Int) {
        nodes[index].rates = rates
        ratesDueAt[nodes[index].peer.node] = nil
    }

    private mutating func finish() -> [Effect] {
        current = nil
        return pending.isEmpty ? [.finished] : []
    }

    private mutating func fail(_ problem: String) -> [Effect] {
        guard let task = current?.task else { return [] }
        current = nil
        // Whatever disturbed it may take a moment.
        calmSince = nil
        guard attemptCount + 1 >= Self.attemptLimit else {
            pending.append((task, attemptCount + 1))
            return []
        }
        let text =
            switch task {
            case .node(let node): "\(node) is not measured: \(problem)"
            case .link(let first, let second): "the link \(first) – \(second) is not measured: \(problem)"
            }
        return [note(text)] + (pending.isEmpty ? [.finished] : [])
    }

    /// Keeps a problem for people to see; one that was there already counts as new.
    private mutating func note(_ problem: String) -> Effect {
        problems = (problems.filter { $0 != problem } + [problem]).suffix(Self.problemLimit)
        return .failed(reason: problem)
    }

    private func peer(_ node: NodeID) -> Peer? { nodes.first { $0.peer.node == node }?.peer }
}
