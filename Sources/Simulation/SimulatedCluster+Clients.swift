import ClusterCore
import Transport

/// Clients: they ask, lose patience or connections, and read on.
extension SimulatedCluster {
    func submit(_ number: Int) {
        let planned = world.plan.requests[number]
        let client = SimulatedClient(planned.work, isStreamed: planned.isStreamed, in: world)
        clients[number] = client
        hand(client)
    }

    /// A client asks for the first time.
    func hand(_ client: SimulatedClient) {
        guard let coordinator else {
            world.referee.answers.abandon(client.request)
            return
        }
        connect(client, to: coordinator, isResumed: false)
    }

    private func connect(_ client: SimulatedClient, to coordinator: CoordinatorProcess, isResumed: Bool) {
        let connection = ClientConnection(client, process: coordinator.number)
        client.connection = connection
        coordinator.serve(connection, isResumed: isResumed)
    }

    /// A client has lost its patience.
    func cancel(_ number: Int) {
        guard let client = clients[number], !client.isDone else { return }
        world.referee.answers.abandon(client.request)
        guard let connection = client.connection else { return }
        connection.isOpen = false
        lose(connection)
    }

    private func lose(_ connection: ClientConnection) {
        guard let coordinator, coordinator.number == connection.process else { return }
        coordinator.lose(connection)
    }

    /// A client goes on where it was.
    func reconnect(_ number: Int) {
        guard let client = clients[number], !client.isDone, client.connection == nil else { return }
        guard let coordinator else {
            world.timeline.schedule(.reconnection(request: number), after: .milliseconds(500))
            return
        }
        connect(client, to: coordinator, isResumed: true)
    }

    /// The coordinator's process is gone: whoever reads a stream tries to read on, the others have lost their requests.
    func loseConnections() {
        for (number, client) in clients.enumerated() {
            guard let client, !client.isDone, client.connection != nil else { continue }
            client.connection = nil
            if client.isStreamed {
                world.timeline.schedule(
                    .reconnection(request: number), after: random.duration(.milliseconds(50), .seconds(3)))
            } else {
                world.referee.answers.abandon(client.request)
            }
        }
        if let lastClient { world.referee.answers.abandon(lastClient.request) }
    }

    /// A client that reads a stream loses its connection, and comes back after a while; false if there is none.
    func disconnectClient(for length: Duration) -> Bool {
        let number = random.number(in: 0...max(0, clients.count - 1))
        let delay = random.happens(0.5) ? Duration.zero : random.duration(.zero, .seconds(3))
        let readers = clients.indices.filter { index in
            guard let client = clients[index] else { return false }
            return client.isStreamed && !client.isDone && client.connection != nil
        }
        guard !readers.isEmpty, let client = clients[readers[number % readers.count]], let lost = client.connection
        else { return false }
        lost.isOpen = false
        client.connection = nil
        client.lostConnections.append(lost)
        let index = readers[number % readers.count]
        world.timeline.schedule(.absence(request: index), after: delay)
        world.timeline.schedule(.reconnection(request: index), after: length)
        return true
    }

    /// The coordinator notices that a client has gone, which may be back by then.
    func noticeAbsence(_ number: Int) {
        guard let client = clients[number], !client.lostConnections.isEmpty else { return }
        lose(client.lostConnections.removeFirst())
    }
}
