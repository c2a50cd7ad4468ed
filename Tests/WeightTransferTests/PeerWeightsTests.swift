import Checkpoints
import Dispatch
import Foundation
import TestSupport
import Testing
import Transport
import ZeroMQ

@testable import WeightTransfer

/// Fetches from a coordinator and from workers that have something, over loopback.
@Suite(.serialized, .timeLimit(.minutes(10))) struct PeerWeightsTests {
    private let home: TemporaryFolder
    private let file: TemporaryFile
    private let model: ModelFile
    private let origin: RunningServer
    private let dropped = Shared<[String]>([])
    /// The workers that are told of. They are there as long as somebody may ask them.
    private let peers = Shared<[any Serving]>([])

    init() throws {
        home = try TemporaryFolder()
        file = try WeightsFetchTests.makeModel()
        model = try ModelFile(path: file.path)
        origin = try RunningServer(model)
    }

    private static func node(_ number: Int) throws -> NodeID { try #require(NodeID("worker-\(number)")) }

    private func supply() throws -> WeightsSupply {
        var supply = WeightsSupply(
            source: Peer(node: .coordinator, dataEndpoint: origin.endpoint), node: try Self.node(1),
            clusterID: "test", epoch: Epoch(3))
        supply.peers = { [peers] in peers.value.map(\.peer) }
        supply.noteDropped = { [dropped] peer, problem in dropped.change { $0.append("\(peer.node): \(problem)") } }
        return supply
    }

    /// Waits for nothing that a busy machine may take long for.
    private func fetch(
        _ supply: WeightsSupply, into folder: String = "mine", _ change: (inout WeightsPatience) -> Void = { _ in }
    ) throws -> FetchedModel {
        var patience = WeightsPatience()
        (patience.introduction, patience.slowAnswer, patience.firstSilence) = (.seconds(60), .seconds(60), .seconds(60))
        patience.lookInterval = .milliseconds(100)
        change(&patience)
        let fetched = try WeightsFetch(
            supply, cache: ShardCache(folder: "\(home.path)/\(folder)", limitByteCount: 1 << 30), patience: patience
        ).model(WeightsFetchTests.reference(model), needs: WeightsFetchTests.everything)
        let bytes = fetched.model.parts[0].file.bytes(in: 0..<model.byteCount)
        #expect(bytes == model.parts[0].file.bytes(in: 0..<model.byteCount))
        #expect(fetched.fetchedByteCount == fetched.fetchedByteCounts.values.reduce(0, +))
        return fetched
    }

    /// A worker that has fetched that part of the model's bytes.
    private func part(_ part: ClosedRange<Double> = 0...1, number: Int) throws -> WeightsShelf {
        let shelf = WeightsShelf(manifestFolder: nil)
        var supply = WeightsSupply(
            source: Peer(node: .coordinator, dataEndpoint: origin.endpoint), node: try Self.node(number),
            clusterID: "test", epoch: Epoch(3))
        supply.shelf = shelf
        let cache = ShardCache(folder: "\(home.path)/\(number)", limitByteCount: 1 << 30)
        _ = try WeightsFetch(supply, cache: cache).model(WeightsFetchTests.reference(model)) { model in
            let file = model.parts[0].file
            let (first, end) = (part.lowerBound * Double(file.byteCount), part.upperBound * Double(file.byteCount))
            return [ModelByteRange(file: file, bytes: Int(first)..<Int(end))]
        }
        return shelf
    }

    @Test func `a worker that has everything gives all but what says what is right`() throws {
        let two = try Self.node(2)
        let peer = try RunningServer(try part(number: 2), node: two)
        peers.change { $0 = [peer] }
        let fetched = try fetch(supply())
        #expect(fetched.fetchedByteCounts == [two: model.byteCount])
        #expect(dropped.value == [])
    }

    @Test func `a worker with the model's file gives it once it has hashed it`() throws {
        let two = try Self.node(2)
        let shelf = WeightsShelf(model, manifestFolder: nil)
        let peer = try RunningServer(shelf, node: two)
        peers.change { $0 = [peer] }
        // The first part of it comes from the coordinator, who has hashed his by then.
        let first = try fetch(supply())
        #expect(first.fetchedByteCount == model.byteCount && dropped.value == [])
        while shelf.hasWork { Thread.sleep(forTimeInterval: 0.01) }
        let second = try fetch(supply(), into: "again")
        #expect(second.fetchedByteCounts == [two: model.byteCount])
    }

    @Test func `what a worker has not comes from the coordinator`() throws {
        let two = try Self.node(2)
        let shelf = try part(0...0.5, number: 2)
        let held = try #require(shelf.holding?.byteCount)
        #expect(held > 0 && held < model.byteCount)
        let peer = try RunningServer(shelf, node: two)
        peers.change { $0 = [peer] }
        let fetched = try fetch(supply())
        #expect(fetched.fetchedByteCounts == [two: held, .coordinator: model.byteCount - held])
        #expect(dropped.value == [])
    }

    @Test func `several workers give what each has`() throws {
        let (two, three) = try (Self.node(2), Self.node(3))
        let servers = try [
            RunningServer(try part(0...0.5, number: 2), node: two),
            RunningServer(try part(0.5...1, number: 3), node: three),
        ]
        peers.change { $0 = servers }
        let fetched = try fetch(supply())
        #expect(fetched.fetchedByteCounts.keys.sorted() == [two, three])
        #expect(fetched.fetchedByteCount == model.byteCount && dropped.value == [])
    }

    @Test func `a worker that sends wrong bytes is asked no more, and what it sent is not kept`() throws {
        let liar = try FakePeer(number: 2, holding: .all(model)) { _ in
            (.bytes, [UInt8](repeating: 7, count: ShardManifest.chunkByteCount))
        }
        peers.change { $0 = [liar] }
        let fetched = try fetch(supply())
        #expect(fetched.fetchedByteCounts == [.coordinator: model.byteCount])
        #expect(dropped.value == ["worker-2: it sent wrong bytes"])
        #expect(liar.askedCount.value <= WeightsPatience().openRequestLimit)
    }

    @Test func `a worker that refuses, or says that it has what there is not, is asked no more`() throws {
        let refusing = try FakePeer(number: 2, holding: .all(model)) { _ in (.problem("not for you"), nil) }
        let boasting = try FakePeer(number: 3, holding: [UInt8](repeating: 0xFF, count: 100)) { _ in nil }
        peers.change { $0 = [refusing, boasting] }
        let fetched = try fetch(supply())
        #expect(fetched.fetchedByteCounts == [.coordinator: model.byteCount])
        #expect(
            dropped.value.sorted() == [
                "worker-2: it refuses: not for you", "worker-3: what it says that it has cannot be",
            ])
    }

    /// One that has not everything is asked again and again what it has, and answers that.
    @Test(arguments: [true, false])
    func `a worker that says what it has and then gives nothing is asked no more`(hasAll: Bool) throws {
        var holding: [UInt8] = .all(model)
        if !hasAll { holding[0] &= ~1 }
        let silent = try FakePeer(number: 2, holding: holding) { _ in nil }
        peers.change { $0 = [silent] }
        let fetched = try fetch(supply()) { $0.firstSilence = .milliseconds(500) }
        #expect(fetched.fetchedByteCounts == [.coordinator: model.byteCount])
        #expect(dropped.value.count == 1 && dropped.value[0].hasPrefix("worker-2: it has not answered for "))
    }

    @Test func `where nobody listens, nobody is waited for any longer`() throws {
        let gone = try RunningServer(model, node: try Self.node(2))
        gone.stop()
        peers.change { $0 = [gone] }
        let fetched = try fetch(supply()) {
            ($0.firstSilence, $0.introduction) = (.milliseconds(500), .milliseconds(300))
        }
        #expect(fetched.fetchedByteCounts == [.coordinator: model.byteCount])
        // It may all have come before that was noticed.
        #expect(dropped.value.count <= 1)
    }

    @Test func `with a slow worker, the coordinator is asked for what that one has, too`() throws {
        let two = try Self.node(2)
        let peer = try RunningServer(try part(number: 2), node: two)
        peers.change { $0 = [peer] }
        let fetched = try fetch(supply()) { $0.slowAnswer = .zero }
        #expect(fetched.fetchedByteCounts.keys.sorted() == [.coordinator, two])
        #expect(fetched.fetchedByteCount == model.byteCount)
    }

    @Test func `a worker that is told of in the middle gives what is still missing`() throws {
        let two = try Self.node(2)
        let peer = try RunningServer(try part(number: 2), node: two)
        var supply = try supply()
        supply.noteFetched = { [peers] _, _ in
            peers.change { $0 = [peer] }
        }
        let fetched = try fetch(supply)
        #expect(fetched.fetchedByteCounts.keys.sorted() == [.coordinator, two])
        #expect(fetched.fetchedByteCounts[.coordinator] == ShardManifest.chunkByteCount)
    }

    @Test func `a worker that was started anew gives what its disk has, once somebody asks`() throws {
        let two = try Self.node(2)
        _ = try part(number: 2)
        // This time it needs less.
        let shelf = try part(0...0.3, number: 2)
        #expect(shelf.holding?.byteCount ?? 0 < model.byteCount)
        let peer = try RunningServer(shelf, node: two)
        peers.change { $0 = [peer] }
        let first = try fetch(supply())
        #expect(first.fetchedByteCounts[two, default: 0] >= shelf.holding?.byteCount ?? 0)
        while shelf.hasWork { Thread.sleep(forTimeInterval: 0.01) }
        #expect(try fetch(supply(), into: "again").fetchedByteCounts == [two: model.byteCount])
        #expect(dropped.value == [])
    }

    @Test func `with keys, a worker gives only to those it knows, and no more when they are revoked`() throws {
        let (one, two) = try (Self.node(1), Self.node(2))
        let (head, own, other) = try (KeyPair.random(), KeyPair.random(), KeyPair.random())
        func key(_ node: NodeID, _ keys: KeyPair) -> NodeKey { NodeKey(node: node, publicKey: keys.publicKey) }
        let sourceSecurity = try NodeSecurity(keys: head, allowed: [key(one, own), key(two, other)])
        let origin = try RunningServer(model, security: sourceSecurity)
        let peerSecurity = try NodeSecurity(keys: other, allowed: [key(.coordinator, head), key(one, own)])
        let peer = try RunningServer(try part(number: 2), node: two, security: peerSecurity)
        peers.change { $0 = [peer] }
        var supply = try supply()
        supply.source.dataEndpoint = origin.endpoint
        supply.security = try NodeSecurity(keys: own, allowed: [key(.coordinator, head), key(two, other)])
        #expect(try fetch(supply, into: "known").fetchedByteCounts == [two: model.byteCount])

        // In the middle the peer is told that this worker's key is good no more.
        supply.noteFetched = { _, source in if source == two { peerSecurity.allow([]) } }
        let revoked = try fetch(supply, into: "revoked") { $0.firstSilence = .seconds(2) }
        let first = ShardManifest.chunkByteCount
        #expect(revoked.fetchedByteCounts == [two: first, .coordinator: model.byteCount - first])
        // Nor does it let it in again.
        let turnedAway = try fetch(supply, into: "away") {
            ($0.firstSilence, $0.introduction) = (.seconds(2), .milliseconds(500))
        }
        #expect(turnedAway.fetchedByteCounts == [.coordinator: model.byteCount])

        // Who does not know the peer's key asks it nothing.
        supply.security = try NodeSecurity(keys: own, allowed: [key(.coordinator, head)])
        #expect(try fetch(supply, into: "unknown").fetchedByteCounts == [.coordinator: model.byteCount])
        #expect(dropped.value.last?.contains("know the key of worker-2") == true)
    }

    @Test func `who has no key gets nothing from a worker with one`() throws {
        let (two, keys) = (try Self.node(2), try KeyPair.random())
        let security = try NodeSecurity(keys: keys, allowed: [])
        let peer = try RunningServer(try part(number: 2), node: two, security: security)
        peers.change { $0 = [peer] }
        let fetched = try fetch(supply()) {
            ($0.firstSilence, $0.introduction) = (.seconds(2), .milliseconds(500))
        }
        #expect(fetched.fetchedByteCounts == [.coordinator: model.byteCount])
    }
}

/// A worker that says that it has something, and answers as it likes.
private final class FakePeer: Serving {
    let peer: Peer
    let askedCount = Shared(0)
    private let isStopped = Shared(false)

    /// - Parameter answer: to a question for a chunk; nil for none.
    init(
        number: Int, holding: [UInt8],
        answer: @escaping @Sendable (WeightsChunk) -> (WeightsReply.Result, [UInt8]?)?
    ) throws {
        let node = try #require(NodeID("worker-\(number)"))
        let bound = Shared("")
        let started = DispatchSemaphore(value: 0)
        _ = try OwnedThread.start(name: "fake") { [askedCount, isStopped] in
            defer { started.signal() }
            guard
                let socket = try? WeightsServerSocket(binding: "tcp://127.0.0.1:0", clusterID: "test")
            else { return }
            bound.change { $0 = socket.endpoint }
            started.signal()
            while !isStopped.value {
                guard let arrival = try? socket.receive(timeout: .milliseconds(50)),
                    case .weightsRequest(let request) = arrival.envelope.body
                else { continue }
                var reply: (WeightsReply.Result, [UInt8]?)?
                switch request.item {
                case .holdings: reply = (.bytes, holding)
                case .chunk(let chunk):
                    askedCount.change { $0 += 1 }
                    reply = answer(chunk)
                case .content, .manifest: Issue.record("a worker is asked what is right")
                }
                guard let reply else { continue }
                let envelope = Envelope(
                    clusterID: "test", epoch: arrival.envelope.epoch, sender: node,
                    body: .weightsReply(WeightsReply(number: request.number, result: reply.0)))
                try? socket.send(envelope, payload: reply.1, to: arrival.connection)
            }
        }
        #expect(started.wait(timeout: .now() + 20) == .success)
        peer = Peer(node: node, dataEndpoint: bound.value)
    }

    deinit { isStopped.change { $0 = true } }
}

extension [UInt8] {
    /// What a worker says that has all of a model of one file.
    fileprivate static func all(_ model: ModelFile) -> [UInt8] {
        ChunkSet(all: ShardManifest.chunkCount(ofFileOf: model.byteCount)).bytes
    }
}
