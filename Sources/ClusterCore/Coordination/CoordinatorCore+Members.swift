import Transport

extension CoordinatorCore {
    mutating func apply(_ effects: [Membership<Connection>.Effect], at now: Instant) -> [Effect] {
        effects.flatMap { apply($0, at: now) }
    }

    private mutating func apply(_ effect: Membership<Connection>.Effect, at now: Instant) -> [Effect] {
        switch effect {
        case .welcome(_, let connection):
            let welcome = Welcome(
                heartbeatInterval: configuration.heartbeatInterval, dataEndpoint: configuration.dataEndpoint,
                weightsEndpoint: configuration.weightsEndpoint)
            return [.answer(envelope(.welcome(welcome)), to: connection)]
        case .refuse(let node, let connection, let reason):
            return refuse(node, connection, reason: reason)
        case .acknowledge(_, let connection, let number):
            return [.answer(envelope(.heartbeatReply(HeartbeatReply(number: number))), to: connection)]
        case .ask(let node, let connection):
            // Says again what it knows already.
            let reply = HeartbeatReply(number: membership[node]?.lastHeartbeat?.number ?? 0)
            return [.answer(envelope(.heartbeatReply(reply)), to: connection)]
        case .joined(let node):
            guard let peer = peer(node), let hello = membership[node]?.hello else { return [] }
            _ = survey.handle(.joined(peer, hello), at: now)
            return [.notice(.joined(node, hello))] + seat(node, at: now) + lateFarewell(to: node)
        case .returned(let node):
            guard let peer = peer(node) else { return [] }
            _ = survey.handle(.returned(peer), at: now)
            return place(.returned(peer), of: node, at: now)
        case .suspected(let node, let silence):
            return [.notice(.suspected(node, silence: silence))]
        case .recovered(let node):
            return [.notice(.recovered(node))]
        case .lost(let node, let reason):
            return [.notice(.lost(node, reason: reason))] + remove(node, reason: reason, at: now)
        case .left(let node, let reason):
            return [.notice(.left(node, reason: reason))] + remove(node, reason: "it left: \(reason)", at: now)
        case .ignored(let node):
            drops.count(.unknownSender, from: node.name)
            return []
        }
    }

    func peer(_ node: NodeID) -> Peer? {
        membership[node].map { Peer(node: node, dataEndpoint: $0.hello.dataEndpoint, hostID: $0.hello.hostID) }
    }

    /// Gives a worker that is new to a replica.
    mutating func seat(_ node: NodeID, at now: Instant) -> [Effect] {
        let held = membership[node]?.hello.heldPart ?? 0
        let duplicated = replicas.indices.filter { held != 0 && replicas[$0].placement.holds(held) }
        let team = teams.admit(node, replicas.map(\.standing), duplicated: duplicated)
        return introduce(node, to: team, heldPart: held, at: now)
    }

    /// Tells a replica of a worker that is now its own.
    mutating func introduce(_ node: NodeID, to replica: Int, heldPart: UInt64, at now: Instant) -> [Effect] {
        guard let peer = peer(node) else { return [] }
        return place(.joined(peer, heldPart: heldPart), in: replica, at: now) + weigh(node, at: now)
    }

    private mutating func remove(_ node: NodeID, reason: String, at now: Instant) -> [Effect] {
        _ = survey.handle(.gone(node), at: now)
        let effects = place(.gone(node, reason: reason), of: node, at: now)
        teams.remove(node)
        return effects + tell(weights.remove(node))
    }

    /// Moves workers between replicas, so that as many as can be are whole.
    mutating func moveWorkers(at now: Instant) -> [Effect] {
        guard shutdown == nil, replicas.count > 1 else { return [] }
        var effects: [Effect] = []
        // Each move fills a place, so there are no more than workers.
        for _ in membership.members {
            guard let move = teams.nextMove(replicas.map(\.standing)) else { break }
            effects += perform(move, at: now)
        }
        return effects
    }

    mutating func perform(_ move: Teams.Move, at now: Instant) -> [Effect] {
        let held = membership[move.node]?.lastHeartbeat?.heldPart ?? membership[move.node]?.hello.heldPart ?? 0
        teams.perform(move)
        return [.notice(.workerMoved(move.node, from: move.from, to: move.to))]
            + place(.gone(move.node, reason: "it moves to replica \(move.to)"), in: move.from, at: now)
            + introduce(move.node, to: move.to, heldPart: held, at: now)
    }

    /// Tells the placement what memory a worker has.
    mutating func weigh(_ node: NodeID, at now: Instant) -> [Effect] {
        guard let availableByteCount = membership[node]?.availableByteCount else { return [] }
        return place(.memory(node, availableByteCount: availableByteCount), of: node, at: now)
    }

    /// Tells the placement what a worker has loaded.
    mutating func noteHeld(by node: NodeID, _ heartbeat: Heartbeat, at now: Instant) -> [Effect] {
        guard membership[node]?.isPresent == true, let team = teams.team(of: node),
            !replicas[team].placement.holds(node, heartbeat.heldPart)
        else { return [] }
        return place(.holds(node, part: heartbeat.heldPart), in: team, at: now)
    }
}
