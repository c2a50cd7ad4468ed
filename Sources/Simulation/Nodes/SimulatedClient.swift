import ClusterCore
import CoordinatorRuntime

/// A client with a request. Streams are read on over another connection when one is lost.
final class SimulatedClient {
    let world: World
    /// What the referee calls its request by.
    let request: Ticket
    let work: Work
    /// Whether what it gets can be read again.
    let isStreamed: Bool
    /// Over which it reads; nil while it is away.
    var connection: ClientConnection?
    /// Lost ones that the coordinator has not noticed yet, oldest first.
    var lostConnections: [ClientConnection] = []

    init(_ work: Work, isStreamed: Bool, in world: World) {
        self.world = world
        self.work = work
        self.isStreamed = isStreamed
        request = world.referee.answers.submit(work)
    }

    /// A client does not wait for anything any more.
    var isDone: Bool { world.referee.answers.ending(of: request) != nil }

    func take(_ event: GenerationEvent) {
        switch event {
        case .reused(let tokenCount): world.referee.noteReused(request, tokenCount, at: world.now)
        case .token(let choice): world.referee.noteToken(request, choice, at: world.now)
        case .finished(let reason): world.referee.noteFinished(request, reason, at: world.now)
        }
    }
}

/// A connection from a client to a process of the coordinator.
final class ClientConnection: RequestReading {
    let client: SimulatedClient
    /// Counts the processes of the coordinator's machine.
    let process: Int
    /// What the coordinator calls the request by; nil until it has taken it.
    var ticket: Ticket?
    /// Nothing comes any more once it is not.
    var isOpen = true
    /// Tokens that were sent over it, whether or not they came.
    private(set) var sentCount = 0

    init(_ client: SimulatedClient, process: Int) {
        self.client = client
        self.process = process
    }

    var reader: AnyObject { self }

    func take(_ event: GenerationEvent) {
        if case .token = event { sentCount += 1 }
        if isOpen { client.take(event) }
    }

    func take(_ text: ScoredText) {
        if isOpen { client.world.referee.noteScored(client.request, text, at: client.world.now) }
    }

    func fail(_ error: GenerationError) {
        if isOpen { client.world.referee.noteFailed(client.request, error, at: client.world.now) }
    }
}
