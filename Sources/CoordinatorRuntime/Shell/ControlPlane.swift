import Logging
import Synchronization
import Transport
import ZeroMQ

/// The control plane's thread: moves messages between its socket and the coordinator's thread, and decides nothing.
///
/// It has a thread of its own so that heartbeats never wait behind steps.
final class ControlPlane: Sendable {
    private struct Outbox {
        var messages: [(envelope: Envelope, connection: ConnectionID)] = []
        var isStopped = false
    }

    private static let outboxLimit = 4096

    private let wake: WakeSignal
    private let outbox = Mutex(Outbox())
    private let counted = Mutex(DropCounters())
    private let mailbox: Mailbox
    private let security: NodeSecurity?
    private let logger: Logger

    init(mailbox: Mailbox, security: NodeSecurity?, logger: Logger) throws(ZeroMQError) {
        wake = try WakeSignal()
        self.security = security
        self.mailbox = mailbox
        self.logger = logger
    }

    /// Frames that the socket refused.
    var drops: DropCounters { counted.withLock(\.self) }

    /// Sends soon. A message for which there is no room is dropped: its worker will ask again.
    func send(_ envelope: Envelope, to connection: ConnectionID) {
        let isQueued = outbox.withLock { outbox in
            guard !outbox.isStopped, outbox.messages.count < Self.outboxLimit else { return false }
            outbox.messages.append((envelope, connection))
            // Whoever is taken in learns whom else to let in.
            if case .welcome = envelope.body, let security {
                var keyring = envelope
                keyring.body = .keyring(Keyring(keys: security.allowed))
                outbox.messages.append((keyring, connection))
            }
            return true
        }
        if isQueued { wake.signal() }
    }

    func stop() {
        outbox.withLock { $0.isStopped = true }
        wake.signal()
    }

    /// Binds and runs until `stop`; `started` hears of the endpoint or of what went wrong.
    func run(binding endpoint: String, started: (Result<String, ZeroMQError>) -> Void) {
        let server: ControlServer
        do throws(ZeroMQError) {
            server = try ControlServer(binding: endpoint, security: security, wake: [wake])
        } catch {
            return started(.failure(error))
        }
        started(.success(server.endpoint))
        var isStopped = false
        while !isStopped {
            do throws(LinkError) {
                if let arrival = try server.receive(timeout: .seconds(1)) { deliver(arrival, server) }
            } catch {
                return mailbox.fail("control plane: \(error)")
            }
            isStopped = flush(server)
            let drops = server.drops
            counted.withLock { $0 = drops }
        }
    }

    private func deliver(_ arrival: ControlArrival, _ server: ControlServer) {
        guard !mailbox.post(.control(arrival)) else { return }
        switch arrival {
        case .message(_, let connection), .otherVersion(_, let connection):
            server.drop(from: connection.node, because: .queueFull)
        }
    }

    /// Sends what waits; whether to stop.
    private func flush(_ server: ControlServer) -> Bool {
        let (messages, isStopped) = outbox.withLock { outbox in
            defer { outbox.messages = [] }
            return (outbox.messages, outbox.isStopped)
        }
        for (envelope, connection) in messages {
            do throws(LinkError) {
                try server.send(envelope, to: connection)
            } catch .refused(let reason) {
                logger.error(
                    "control message breaks the protocol's limits",
                    metadata: ["node": "\(connection.node)", "reason": "\(reason)"])
            } catch .unreachable {
                // If there is no room for it: silence tells, too, a little later.
                _ = mailbox.post(.closed(connection))
            } catch {
                // A worker that is gone is found by its silence, and one that is there says hello again.
                logger.debug(
                    "control message not sent",
                    metadata: ["node": "\(connection.node)", "error": "\(error)"])
            }
        }
        return isStopped
    }
}
