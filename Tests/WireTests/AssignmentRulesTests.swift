import Testing
import Transport
import Wire

@Suite struct AssignmentRulesTests {
    private static func peer(_ name: String) -> Peer {
        Peer(node: NodeID(name) ?? .coordinator, dataEndpoint: "tcp://\(name):1", hostID: "boot/1")
    }

    private static func rank(
        _ name: String, heads: Range<Int>, blocks: Range<Int>, chunks: Range<Int>
    ) -> StageRank {
        StageRank(
            peer: peer(name),
            share: RankShare(keyValueHeads: heads, feedForwardBlocks: blocks, vocabularyChunks: chunks))
    }

    /// The first of two ranks of the first of two stages.
    private static let assignment = StageAssignment(
        modelFile: ModelFileReference(path: "/m", byteCount: 1, headerDigest: Array(repeating: 0, count: 32)),
        stage: 0, stageCount: 2, rank: 0,
        ranks: [
            rank("a", heads: 0..<3, blocks: 0..<14, chunks: 0..<2),
            rank("b", heads: 3..<5, blocks: 14..<27, chunks: 2..<2),
        ], layers: 0..<10, next: [peer("c")], previous: .coordinator, contextLength: 10, keyValueTokenCapacity: 10,
        maximumStepRowCount: 10)

    /// The field that is refused after a change; nil if the assignment is taken.
    private func refused(_ change: (inout StageAssignment) -> Void) -> String? {
        var assignment = Self.assignment
        change(&assignment)
        let envelope = Envelope(
            clusterID: "c", epoch: Epoch(3), sender: .coordinator, body: .assignment(assignment))
        do throws(WireError) {
            let decoded = try Wire.decode(try Wire.encode(envelope))
            #expect(decoded == envelope)
            return nil
        } catch {
            guard case .invalid(let field, _) = error else { return "\(error)" }
            return field
        }
    }

    @Test func `an assignment that makes no sense is refused by name`() {
        #expect(refused { _ in } == nil)
        #expect(refused { $0.stage = 2 } == "assignment.stage")
        #expect(refused { $0.stageCount = 5000 } == "assignment.stageCount")
        #expect(refused { $0.layers = 3..<3 } == "assignment.layers")
        #expect(refused { $0.layers = 3..<5000 } == "assignment.layers")
        #expect(refused { $0.contextLength = 0 } == "assignment.contextLength")
        #expect(refused { $0.keyValueTokenCapacity = 0 } == "assignment.keyValueTokenCapacity")
        #expect(refused { $0.maximumStepRowCount = 65537 } == "assignment.maximumStepRowCount")
        #expect(refused { $0.modelFile.path = "" } == "assignment.modelFile.path")
        #expect(refused { $0.modelFile.headerDigest = [1] } == "assignment.modelFile.headerDigest")
    }

    @Test func `ranks hold neighbouring parts in order, from the first one on`() {
        let place = "assignment.ranks[1].share"
        #expect(refused { $0.ranks[0].share.keyValueHeads = 1..<3 } == "assignment.ranks[0].share.keyValueHeads")
        #expect(refused { $0.ranks[1].share.keyValueHeads = 2..<5 } == "\(place).keyValueHeads")
        #expect(refused { $0.ranks[1].share.keyValueHeads = 4..<5 } == "\(place).keyValueHeads")
        #expect(refused { $0.ranks[1].share.keyValueHeads = 3..<3 } == "\(place).keyValueHeads")
        #expect(refused { $0.ranks[1].share.keyValueHeads = 3..<(1 << 20) } == nil)
        #expect(refused { $0.ranks[1].share.keyValueHeads = 3..<(1 << 20) + 1 } == "\(place).keyValueHeads")
        #expect(refused { $0.ranks[1].share.feedForwardBlocks = 14..<14 } == "\(place).feedForwardBlocks")
        #expect(refused { $0.ranks[1].share.feedForwardBlocks = 13..<27 } == "\(place).feedForwardBlocks")
        #expect(refused { $0.ranks[1].share.vocabularyChunks = 1..<2 } == "\(place).vocabularyChunks")
        #expect(refused { $0.ranks[1].share.vocabularyChunks = 2..<(1 << 20) + 1 } == "\(place).vocabularyChunks")
        #expect(refused { $0.ranks.swapAt(0, 1) } == "assignment.ranks[0].share.keyValueHeads")
    }

    @Test func `a stage has 1 to 64 ranks, and its own is one of them`() {
        func ranks(_ count: Int) -> [StageRank] {
            (0..<count).map {
                Self.rank("r\($0)", heads: $0..<($0 + 1), blocks: $0..<($0 + 1), chunks: 0..<0)
            }
        }
        #expect(refused { $0.ranks = [] } == "assignment.ranks.count")
        #expect(refused { $0.ranks = ranks(64) } == nil)
        #expect(refused { $0.ranks = ranks(65) } == "assignment.ranks.count")
        #expect(refused { $0.rank = 1 } == nil)
        #expect(refused { $0.rank = 2 } == "assignment.rank")
        #expect(refused { $0.rank = -1 } == "assignment.rank")
    }

    @Test func `the last stage passes nothing on, and rank 0 of every other one does`() {
        #expect(refused { ($0.stage, $0.previous) = (1, Self.peer("z").node) } == "assignment.next")
        #expect(refused { ($0.stage, $0.previous, $0.next) = (1, Self.peer("z").node, []) } == nil)
        #expect(refused { $0.next = [] } == "assignment.next")
        #expect(refused { ($0.rank, $0.next) = (1, []) } == nil)
        #expect(refused { $0.next = (0..<64).map { Self.peer("n\($0)") } } == nil)
        #expect(refused { $0.next = (0..<65).map { Self.peer("n\($0)") } } == "assignment.next")
        #expect(refused { $0.next[0].dataEndpoint = "" } == "assignment.next[0].dataEndpoint")
        #expect(refused { $0.next[0].hostID = "\u{7f}" } == "assignment.next[0].hostID")
    }

    @Test func `no node has two places, and the coordinator none`() {
        #expect(refused { $0.ranks[1].peer = Self.peer("a") } == "assignment.ranks[1].peer.node")
        #expect(refused { $0.ranks[1].peer.node = .coordinator } == "assignment.ranks[1].peer.node")
        #expect(refused { $0.next = [Self.peer("c"), Self.peer("c")] } == "assignment.next[1].node")
        #expect(refused { $0.next = [Self.peer("b")] } == "assignment.next[0].node")
        #expect(refused { $0.previous = Self.peer("z").node } == "assignment.previous")
        #expect(refused { ($0.stage, $0.stageCount) = (1, 3) } == "assignment.previous")
        let b = Self.peer("b").node
        #expect(refused { ($0.stage, $0.stageCount, $0.previous) = (1, 3, b) } == "assignment.previous")
    }

    @Test func `the largest assignment fits a control message`() throws {
        func largest(_ number: Int) -> Peer {
            let name = "\(number)" + String(repeating: "n", count: 64 - "\(number)".count)
            return Peer(
                node: NodeID(name) ?? .coordinator, dataEndpoint: String(repeating: "e", count: 256),
                hostID: String(repeating: "h", count: 128))
        }
        var assignment = Self.assignment
        assignment.modelFile.path = String(repeating: "p", count: 4096)
        assignment.next = (0..<64).map { largest(1000 + $0) }
        assignment.ranks = (0..<64).map { index in
            let ends = [index, index + 1].map { $0 * (1 << 20) / 64 }
            let range = ends[0]..<ends[1]
            return StageRank(
                peer: largest(index),
                share: RankShare(keyValueHeads: range, feedForwardBlocks: range, vocabularyChunks: range))
        }
        let envelope = Envelope(
            clusterID: String(repeating: "c", count: 64), epoch: Epoch(.max), sender: .coordinator,
            body: .assignment(assignment))
        #expect(try Wire.encode(envelope).count <= 64 << 10)
    }
}
