import Fuzzing
import Transport

/// Sends to one port what should never come there.
struct FuzzLane: Sendable {
    let listener: Listener
    /// Whether it is the port where clients speak HTTP.
    let isHTTP: Bool
    let keys: FuzzKeys?
    private var random: SplitMix64
    private var messages: HostileMessages
    private var bytes: HostileBytes
    private var requests: HostileRequests

    init(_ listener: Listener, isHTTP: Bool, _ cluster: HostileMessages.Cluster, keys: FuzzKeys?, seed: UInt64) {
        (self.listener, self.isHTTP, self.keys) = (listener, isHTTP, keys)
        random = SplitMix64(seed: seed)
        messages = HostileMessages(cluster, seed: random.next())
        bytes = HostileBytes(seed: random.next())
        requests = HostileRequests(seed: random.next())
    }

    /// What one round has sent and got.
    struct Round: Sendable {
        var frameCount = 0
        var connectionCount = 0
        /// HTTP answers by status.
        var statusCounts: [Int: Int] = [:]
    }

    private static let burstLength = 1...100
    private static let floodLength = 1...200
    /// Connections of this lane that are open at a time, floods aside.
    private static let concurrency = 8
    private static let requestConcurrency = 64
    private static let heldTime = Duration.milliseconds(500)
    private static let answerTime = Duration.seconds(1)

    /// At most so many frames.
    mutating func next(limit: Int) async throws -> Round {
        switch Int.random(in: 0..<12, using: &random) {
        case 0: try await flood()
        case _ where isHTTP: try await askHTTP(limit)
        case 1...3: try await sendBytes(limit)
        default: try await sendMessages(limit)
        }
    }

    /// Many connections at a time, dropped as soon as they are made.
    private mutating func flood() async throws -> Round {
        let count = Int.random(in: Self.floodLength, using: &random)
        let ending: RawConnection.Ending = Bool.random(using: &random) ? .closed : .reset
        let port = listener.port
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<count { group.addTask { _ = try? await RawConnection.run(port: port, [], ending) } }
        }
        return Round(connectionCount: count)
    }

    private mutating func sendMessages(_ limit: Int) async throws -> Round {
        var (routingID, sender) = messages.nextConnection()
        var peer = HostilePeer(endpoint: listener.endpoint, routingID: routingID)
        if let keys {
            // Under its own name half of the time, which gets further.
            if Bool.random(using: &random) {
                sender = keys.listed.node
                routingID = Array("\(sender)/\(String(random.next(), radix: 16))".utf8)
                peer.routingID = routingID
            }
            peer.keys = (keys.listed.keys, try keys.server(listener.name))
        }
        let count = min(limit, Int.random(in: Self.burstLength, using: &random))
        let burst = (0..<count).map { _ in messages.next(from: sender) }
        return Round(frameCount: try await peer.send(burst).sentCount, connectionCount: 1)
    }

    private mutating func sendBytes(_ limit: Int) async throws -> Round {
        let connections = (0..<min(limit, Self.concurrency)).map { _ in bytes.next() }
        let port = listener.port
        return await withTaskGroup(of: Int.self) { group in
            for connection in connections {
                let ending: RawConnection.Ending =
                    switch connection.ending {
                    case .closed: .closed
                    case .reset: .reset
                    case .held: .held(Self.heldTime)
                    }
                group.addTask {
                    let isSent = (try? await RawConnection.run(port: port, [connection.bytes], ending)) != nil
                    return isSent ? connection.frameCount : 0
                }
            }
            var round = Round(connectionCount: connections.count)
            for await count in group { round.frameCount += count }
            return round
        }
    }

    private mutating func askHTTP(_ limit: Int) async throws -> Round {
        let connections = (0..<min(limit, Self.requestConcurrency)).map { _ in requests.next() }
        let port = listener.port
        return await withTaskGroup(of: [UInt8]?.self) { group in
            for connection in connections {
                let ending: RawConnection.Ending = connection.waits ? .held(Self.answerTime) : .closed
                group.addTask { try? await RawConnection.run(port: port, connection.pieces, ending).bytes }
            }
            var round = Round(connectionCount: connections.count)
            for await answer in group {
                guard let answer else { continue }
                round.frameCount += 1
                if let status = Self.status(answer) { round.statusCounts[status, default: 0] += 1 }
            }
            return round
        }
    }

    /// Of `HTTP/1.1 400 …`.
    private static func status(_ answer: [UInt8]) -> Int? {
        let line = String(decoding: answer.prefix(12), as: UTF8.self)
        return line.hasPrefix("HTTP/1.") ? Int(line.suffix(3)) : nil
    }
}
