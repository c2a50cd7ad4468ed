import Fuzzing
import Transport
import Wire

/// What a port of an encrypted cluster gives to those who have no business there: nothing beyond a handshake.
struct StrangerCheck: Sendable {
    let keys: FuzzKeys
    let clusterID: String

    /// libzmq says what it speaks before it knows to whom: the greeting of ZMTP 3.
    private static let greetingByteCount = 64
    private static let revocationLimit = Duration.seconds(20)
    private static let rawWait = Duration.milliseconds(300)
    private static let refusedWait = Duration.milliseconds(400)

    /// In words what a stranger without a key, in any version of ZMTP, or with one that is not on the list, got from it.
    func problems(at listener: Listener) async throws -> [String] {
        try await plainProblems(at: listener)
            + encryptedProblems(at: listener, keys.unlisted, "a key that is not listed")
    }

    /// Whether who is on the list is heard, without which the other checks would say nothing.
    func isHeard(at listener: Listener) async throws -> Bool {
        try await peer(listener, keys.revoked.keys, patience: .seconds(10)).send([hello]).sentCount > 0
    }

    /// In words what a stranger whose key was revoked goes on getting.
    func problemsAfterRevocation(at listener: Listener) async throws -> [String] {
        let deadline = ContinuousClock.now + Self.revocationLimit
        while true {
            let problems = try await encryptedProblems(at: listener, keys.revoked.keys, "a revoked key")
            if problems.isEmpty || ContinuousClock.now >= deadline { return problems }
        }
    }

    private var hello: [[UInt8]] {
        let hello = Hello(
            incarnation: 1, processID: 1, hostName: "fuzz", cpuModel: "fuzz", instructionSet: "portable",
            threadCount: 1,
            memoryByteCount: 1, memoryFreeByteCount: 1, dataEndpoint: "tcp://127.0.0.1:1")
        let envelope = Envelope(clusterID: clusterID, epoch: Epoch(0), sender: keys.revoked.node, body: .hello(hello))
        return [(try? Wire.encode(envelope)) ?? []]
    }

    private var routingID: [UInt8] { Array("\(keys.revoked.node)/1".utf8) }

    private func plainProblems(at listener: Listener) async throws -> [String] {
        var problems: [String] = []
        let introductions =
            [HostileBytes.introduction(routingID: routingID)]
            + (0...2).map { HostileBytes.oldIntroduction(version: $0, routingID: routingID) }
        for (index, introduction) in introductions.enumerated() {
            let bytes = introduction + HostileBytes.frame(hello[0])
            let answer = try await RawConnection.run(port: listener.port, [bytes], .held(Self.rawWait))
            if answer.byteCount > Self.greetingByteCount {
                problems.append(
                    "\(listener.name):\(listener.port) gave \(answer.byteCount) bytes to one without a key (introduction \(index))"
                )
            }
        }
        return problems
    }

    private func encryptedProblems(
        at listener: Listener, _ pair: KeyPair, _ who: String
    ) async throws -> [String] {
        let outcome = try await peer(listener, pair, patience: Self.refusedWait).send([hello])
        guard outcome.sentCount + outcome.receivedCount > 0 else { return [] }
        return ["\(listener.name):\(listener.port) has taken a connection from \(who)"]
    }

    private func peer(_ listener: Listener, _ pair: KeyPair, patience: Duration) throws -> HostilePeer {
        HostilePeer(
            endpoint: listener.endpoint, routingID: routingID, keys: (pair, try keys.server(listener.name)),
            patience: patience)
    }
}
