import Transport

/// Who is in the cluster: joining → loading → ready → suspect → lost, and → left.
///
/// A worker is in from its hello until it leaves or is silent for the detection bound, or for a quarter of it if its
/// connection is closed, as it is when its process has ended. Names are unique. When a second
/// process says hello under the name of one that is still counted on, it waits: the first one's next heartbeat has the
/// newcomer refused; the first one's silence for the suspicion bound shows that it is gone, as after a crash and a
/// quick restart, and the newcomer takes its place.
///
/// `Connection` is what answers are addressed to; a worker uses a new one each time it connects.
public struct Membership<Connection: Hashable & Sendable>: Sendable {
    public let configuration: MembershipConfiguration
    /// In order of name.
    private var entries: [Entry] = []
    private var joinCount: UInt64 = 0

    private struct Entry: Sendable {
        var member: Member
        var connection: Connection
        var challenger: Challenger?
        /// Whether it was asked for since it was heard of last.
        var isAsked = false
    }

    private struct Challenger: Sendable {
        var hello: Hello
        var connection: Connection
    }

    public init(configuration: MembershipConfiguration) { self.configuration = configuration }

    /// All workers that are present or remembered, in order of name.
    public var members: [Member] { entries.map(\.member) }

    public subscript(node: NodeID) -> Member? { index(of: node).map { entries[$0].member } }

    /// How to reach a worker that is present.
    public func connection(of node: NodeID) -> Connection? {
        index(of: node).flatMap { entries[$0].member.isPresent ? entries[$0].connection : nil }
    }

    /// When `tick` has something to do next, if nothing else happens.
    public var nextDeadline: Instant? {
        entries.compactMap { entry in
            switch entry.member.state {
            case .live where !entry.isAsked: entry.member.lastHeard.advanced(by: configuration.askingBound)
            case .live: entry.member.lastHeard.advanced(by: configuration.suspicionBound)
            case .suspect: entry.member.lastHeard.advanced(by: configuration.detectionBound)
            case .lost, .left: nil
            }
        }.min()
    }

    public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        switch event {
        case .hello(let node, let hello, let connection): greet(node, hello, from: connection, at: now)
        case .heartbeat(let node, let heartbeat, let connection): hear(node, heartbeat, from: connection, at: now)
        case .leave(let node, let reason, let connection): dismiss(node, reason: reason, from: connection, at: now)
        case .revoked(let node): revoke(node)
        case .closed(let node, let connection): close(node, connection, at: now)
        case .tick: entries.indices.flatMap { watch($0, at: now) }
        }
    }

    /// Notes what placement has a worker do.
    public mutating func setPhase(_ phase: Member.Phase, of node: NodeID) {
        guard let index = index(of: node) else { return }
        switch entries[index].member.state {
        case .live: entries[index].member.state = .live(phase)
        case .suspect: entries[index].member.state = .suspect(phase)
        case .lost, .left: break
        }
    }

    /// Notes what is wrong with a worker; an empty text clears it.
    public mutating func setDetail(_ detail: String, of node: NodeID) {
        guard let index = index(of: node) else { return }
        entries[index].member.detail = detail
    }

    private func index(of node: NodeID) -> Int? { entries.firstIndex { $0.member.node == node } }
}

extension Membership {
    private mutating func greet(
        _ node: NodeID, _ hello: Hello, from connection: Connection, at now: Instant
    ) -> [Effect] {
        guard node != .coordinator else {
            let reason = "the name \(node) is the coordinator's own; start the worker with another --name"
            return [.refuse(node, connection, reason: reason)]
        }
        guard let index = index(of: node) else {
            guard makeRoom() else {
                let reason = "the cluster has \(configuration.memberLimit) workers, its limit; stop one first"
                return [.refuse(node, connection, reason: reason)]
            }
            return take(node, hello, from: connection, at: now)
        }
        let entry = entries[index]
        guard entry.member.isPresent else {
            entries.remove(at: index)
            return take(node, hello, from: connection, at: now)
        }
        if entry.member.hello.incarnation == hello.incarnation {
            entries[index].member.hello = hello
            entries[index].connection = connection
            return [.welcome(node, connection)] + heard(index, at: now) + [.returned(node)]
        }
        entries[index].challenger = Challenger(hello: hello, connection: connection)
        return watch(index, at: now)
    }

    private mutating func take(
        _ node: NodeID, _ hello: Hello, from connection: Connection, at now: Instant
    ) -> [Effect] {
        joinCount += 1
        let member = Member(node: node, hello: hello, joinNumber: joinCount, at: now)
        let index = entries.firstIndex { $0.member.node > node } ?? entries.endIndex
        entries.insert(Entry(member: member, connection: connection), at: index)
        return [.welcome(node, connection), .joined(node)]
    }

    /// Forgets the worker that has been gone longest if there is no room for another.
    private mutating func makeRoom() -> Bool {
        guard entries.count >= configuration.memberLimit else { return true }
        let gone = entries.indices.filter { !entries[$0].member.isPresent }
        guard let oldest = gone.min(by: { entries[$0].member.lastHeard < entries[$1].member.lastHeard }) else {
            return false
        }
        entries.remove(at: oldest)
        return true
    }

    private mutating func hear(
        _ node: NodeID, _ heartbeat: Heartbeat, from connection: Connection, at now: Instant
    ) -> [Effect] {
        guard let index = index(of: node), entries[index].member.isPresent, entries[index].connection == connection
        else { return [.ignored(node)] }
        entries[index].member.note(heartbeat, at: now)
        return [.acknowledge(node, connection, number: heartbeat.number)] + heard(index, at: now)
    }

    private mutating func heard(_ index: Int, at now: Instant) -> [Effect] {
        let node = entries[index].member.node
        entries[index].member.lastHeard = now
        entries[index].isAsked = false
        var effects: [Effect] = []
        if let challenger = entries[index].challenger {
            entries[index].challenger = nil
            let hello = entries[index].member.hello
            let reason =
                "the name \(node) is in use by process \(hello.processID) on \(hello.hostName); "
                + "start the worker with another --name"
            effects.append(.refuse(node, challenger.connection, reason: reason))
        }
        if case .suspect(let phase) = entries[index].member.state {
            entries[index].member.state = .live(phase)
            effects.append(.recovered(node))
        }
        return effects
    }

    private mutating func dismiss(
        _ node: NodeID, reason: String, from connection: Connection, at now: Instant
    ) -> [Effect] {
        guard let index = index(of: node), entries[index].member.isPresent, entries[index].connection == connection
        else { return [.ignored(node)] }
        let challenger = entries[index].challenger
        entries[index].challenger = nil
        entries[index].member.lastHeard = now
        entries[index].member.state = .left
        entries[index].member.detail = reason
        let effects: [Effect] = [.left(node, reason: reason)]
        guard let challenger else { return effects }
        return effects + greet(node, challenger.hello, from: challenger.connection, at: now)
    }

    private mutating func watch(_ index: Int, at now: Instant) -> [Effect] {
        let member = entries[index].member
        let silence = member.lastHeard.duration(to: now)
        guard member.isPresent, silence >= configuration.askingBound else { return [] }
        if silence >= configuration.suspicionBound, entries[index].challenger != nil { return replace(index, at: now) }
        if silence >= configuration.detectionBound {
            return lose(index, reason: "silent for \(silence.tenths) s")
        }
        let asking: [Effect] = [.ask(member.node, entries[index].connection)]
        guard silence >= configuration.suspicionBound else {
            defer { entries[index].isAsked = true }
            return entries[index].isAsked ? [] : asking
        }
        guard case .live(let phase) = member.state else { return [] }
        entries[index].member.state = .suspect(phase)
        return [.suspected(member.node, silence: silence)] + asking
    }

    /// A connection may close for a moment and come back, but not the one of a process that has ended.
    private mutating func close(_ node: NodeID, _ connection: Connection, at now: Instant) -> [Effect] {
        guard let index = index(of: node), entries[index].member.isPresent, entries[index].connection == connection,
            entries[index].member.lastHeard.duration(to: now) >= configuration.askingBound
        else { return [] }
        if entries[index].challenger != nil { return replace(index, at: now) }
        return lose(index, reason: "its connection is closed")
    }

    /// Whoever waits for its place waited with the same key, or will say hello again.
    private mutating func revoke(_ node: NodeID) -> [Effect] {
        guard let index = index(of: node), entries[index].member.isPresent else { return [] }
        entries[index].challenger = nil
        return lose(index, reason: "its key was revoked")
    }

    /// The one who has said hello under its name takes its place.
    private mutating func replace(_ index: Int, at now: Instant) -> [Effect] {
        let entry = entries.remove(at: index)
        guard let challenger = entry.challenger else { return [] }
        return [.lost(entry.member.node, reason: "its process was started anew")]
            + take(entry.member.node, challenger.hello, from: challenger.connection, at: now)
    }

    private mutating func lose(_ index: Int, reason: String) -> [Effect] {
        entries[index].member.state = .lost
        entries[index].member.detail = reason
        return [.lost(entries[index].member.node, reason: reason)]
    }
}

extension Duration {
    /// Seconds with one decimal, such as `2.1`.
    var tenths: String {
        let tenths = max(0, wholeNanoseconds / 100_000_000)
        return "\(tenths / 10).\(tenths % 10)"
    }
}
