import Testing

@testable import Checkpoints

@Suite struct ChunkSetTests {
    @Test(arguments: [0, 1, 7, 8, 9, 64, 65]) func `all and none are told apart, and travel as bytes`(count: Int) throws
    {
        let (all, none) = (ChunkSet(all: count), ChunkSet(none: count))
        #expect(all.count == count && none.count == 0)
        #expect(all.bytes.count == ChunkSet.byteCount(for: count))
        #expect((0..<count).allSatisfy { all.contains($0) && !none.contains($0) })
        #expect(!all.contains(count) && !all.contains(-1))
        #expect(ChunkSet(all.bytes, chunkCount: count) == all)
        #expect(ChunkSet(none.bytes + [0], chunkCount: count) == nil)
    }

    @Test func `chunks come and go alone`() {
        var some = ChunkSet(none: 20)
        for position in [0, 7, 8, 19] { some.insert(position) }
        some.remove(7)
        #expect((0..<20).filter { some.contains($0) } == [0, 8, 19] && some.count == 3)
        #expect(some.bytes == [1, 1, 8])
    }

    @Test func `bits behind the last chunk are refused`() {
        #expect(ChunkSet([0xFF, 0x0F], chunkCount: 12) == ChunkSet(all: 12))
        #expect(ChunkSet([0xFF, 0x1F], chunkCount: 12) == nil)
        #expect(ChunkSet([0xFF], chunkCount: 12) == nil)
    }
}
