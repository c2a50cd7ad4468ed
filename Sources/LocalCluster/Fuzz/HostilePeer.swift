import Transport
import ZeroMQ

/// A ZeroMQ connection to a port of the cluster that sends whatever it is told.
struct HostilePeer: Sendable {
    var endpoint: String
    var routingID: [UInt8]
    /// What it encrypts with, and the key of who listens; nil: plain text.
    var keys: (own: KeyPair, server: PublicKey)?
    /// How long to wait for a connection with room for a message.
    var patience = Duration.seconds(2)

    /// What came of it.
    struct Outcome: Sendable {
        /// Messages that found a connection.
        var sentCount = 0
        /// Parts that came back.
        var receivedCount = 0
    }

    /// Connects, sends until a message finds no connection, takes what has come, and leaves. On a thread of its own.
    ///
    /// - Throws: `ZeroMQError`.
    func send(_ messages: [[[UInt8]]]) async throws -> Outcome {
        try await withCheckedThrowingContinuation { continuation in
            do throws(ZeroMQError) {
                _ = try OwnedThread.start(name: "fuzz-peer") {
                    continuation.resume(with: Result { () throws(ZeroMQError) in try run(messages) }.mapError { $0 })
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    private func run(_ messages: [[[UInt8]]]) throws(ZeroMQError) -> Outcome {
        var options = SocketOptions()
        options.routingID = routingID
        options.linger = .seconds(1)
        options.sendTimeout = patience
        options.receiveTimeout = .milliseconds(50)
        if let keys { options.encrypt(as: keys.own, to: keys.server) }
        let socket = try Socket(.dealer, name: endpoint, options: options)
        try socket.connect(endpoint)
        var outcome = Outcome()
        for message in messages {
            // Who is not let in, or is no longer read from, need not go on.
            guard (try? send(message, to: socket)) != nil else { break }
            outcome.sentCount += 1
        }
        while outcome.receivedCount < Self.receivedLimit, try socket.receive() != nil { outcome.receivedCount += 1 }
        return outcome
    }

    private func send(_ parts: [[UInt8]], to socket: borrowing Socket) throws(ZeroMQError) {
        for (index, part) in parts.enumerated() {
            try socket.send(try Message(copying: part), hasMore: index + 1 < parts.count)
        }
    }

    private static let receivedLimit = 1000
}
