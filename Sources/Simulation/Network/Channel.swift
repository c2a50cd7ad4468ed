import ClusterCore
import DequeModule
import Transport

/// What control messages come from and are answered to: a worker's name and the number of its channel.
public struct SimulatedConnection: Hashable, Sendable {
    public let node: NodeID
    let channel: Int
}

/// A connection that one process makes to another's endpoint, and makes again when it breaks, as a ZeroMQ socket does.
final class Channel {
    enum Plane: Sendable { case control, data }

    enum State: Equatable {
        /// The next attempt is at this time.
        case connecting(at: Instant)
        case up
        /// The client has closed it; what was sent to the server may still arrive.
        case closed
    }

    let number: Int
    let plane: Plane
    /// Machines.
    let client: Int
    let server: Int
    let endpoint: String
    var state: State
    /// Counts how often it has been connected.
    var connectionCount = 0
    /// Attempts in vain since it was up.
    var attemptCount = 0
    /// Until then, it takes nothing.
    var jammedUntil = Instant.zero
    var lanes = (toServer: Lane(), toClient: Lane())

    init(number: Int, plane: Plane, client: Int, server: Int, endpoint: String, at time: Instant) {
        self.number = number
        self.plane = plane
        self.client = client
        self.server = server
        self.endpoint = endpoint
        state = .connecting(at: time)
    }

    subscript(direction: Lane.Direction) -> Lane {
        get { direction == .toServer ? lanes.toServer : lanes.toClient }
        _modify {
            switch direction {
            case .toServer: yield &lanes.toServer
            case .toClient: yield &lanes.toClient
            }
        }
    }

    /// Machines that a lane leads from and to.
    func ends(_ direction: Lane.Direction) -> (from: Int, to: Int) {
        direction == .toServer ? (client, server) : (server, client)
    }

    /// Loses what is under way.
    func clear() {
        lanes.toServer.flights.removeAll()
        lanes.toClient.flights.removeAll()
    }
}

/// One direction of a channel: messages arrive in their order.
struct Lane {
    enum Direction: Sendable { case toServer, toClient }

    /// A message under way.
    struct Flight {
        var bytes: [UInt8]
        /// Hidden states or a rank's part, of 8 bytes each.
        var payload: [UInt64]?
        var arrival: Instant
        /// What was sent, if the bytes say something else.
        var original: Envelope?
    }

    var flights = Deque<Flight>()
    var lastArrival = Instant.zero
    /// Whether the first message's arrival is scheduled.
    var isScheduled = false
}
