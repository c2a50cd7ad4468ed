import Testing

@testable import Kernels

@Suite struct `The topology of processors` {
    /// Complexes of so many cores with so many hyper-threads each, whose numbers are those of the cores, then further
    /// ones, as Linux counts them on a Ryzen.
    private func topology(
        complexes: Int, coresEach: Int, siblings: Int = 1, allowed: [Int32]? = nil
    ) -> ProcessorTopology {
        let coreCount = Int32(complexes * coresEach)
        let all = 0..<coreCount * Int32(siblings)
        return ProcessorTopology(
            allowed: allowed ?? Array(all), coreOf: { cpu in all.filter { $0 % coreCount == cpu % coreCount } },
            cacheOf: { cpu in
                all.filter { $0 % coreCount / Int32(coresEach) == cpu % coreCount / Int32(coresEach) }
            })
    }

    @Test func `two complexes of a Zen 2 take threads evenly and neighbours together`() {
        let topology = topology(complexes: 2, coresEach: 4, siblings: 2)
        #expect(
            topology.complexes == [[[0, 8], [1, 9], [2, 10], [3, 11]], [[4, 12], [5, 13], [6, 14], [7, 15]]])
        #expect(topology.cores == [0, 1, 2, 3, 4, 5, 6, 7])
        #expect(topology.processors(threadCount: 8) == [0, 1, 2, 3, 4, 5, 6, 7])
        #expect(topology.processors(threadCount: 5) == [0, 1, 2, 4, 5])
        #expect(topology.processors(threadCount: 2) == [0, 4])
    }

    @Test func `hyper-threads come when all cores have a thread`() {
        let topology = topology(complexes: 2, coresEach: 2, siblings: 2)
        #expect(topology.processors(threadCount: 6) == [0, 4, 1, 2, 6, 3])
        #expect(topology.processors(threadCount: 8) == [0, 4, 1, 5, 2, 6, 3, 7])
    }

    @Test func `one complex of a Zen 4 without hyper-threads keeps its order`() {
        let topology = topology(complexes: 1, coresEach: 8)
        #expect(topology.processors(threadCount: 8) == Array(0..<8))
        #expect(topology.processors(threadCount: 3) == [0, 1, 2])
    }

    @Test func `processors that may not be used are left out`() {
        let topology = topology(complexes: 2, coresEach: 4, siblings: 2, allowed: [13, 2, 3, 10, 6, 7])
        #expect(topology.complexes == [[[2, 10], [3]], [[6], [7], [13]]])
        #expect(topology.cores == [2, 3, 6, 7, 13])
        #expect(topology.processors(threadCount: 3) == [2, 3, 6])
        #expect(topology.processors(threadCount: 6) == [2, 10, 3, 6, 7, 13])
    }

    @Test func `numbers that alternate between complexes are grouped`() {
        let topology = ProcessorTopology(
            allowed: Array(0..<6), coreOf: { [$0] }, cacheOf: { cpu in (0..<6).filter { $0 % 2 == cpu % 2 } })
        #expect(topology.processors(threadCount: 6) == [0, 2, 4, 1, 3, 5])
    }

    @Test func `what the system does not say leaves the order ascending`() {
        let topology = ProcessorTopology(allowed: [4, 1, 3], coreOf: { _ in nil }, cacheOf: { _ in nil })
        #expect(topology.complexes == [[[1], [3], [4]]])
        #expect(topology.processors(threadCount: 3) == [1, 3, 4])
    }

    @Test func `more threads than processors are not pinned, nor are few by default`() {
        let topology = topology(complexes: 2, coresEach: 4)
        #expect(topology.processors(threadCount: 9) == [])
        #expect(topology.defaultProcessors(threadCount: 4) == [])
        #expect(topology.defaultProcessors(threadCount: 6) == [0, 1, 2, 4, 5, 6])
        #expect(topology.defaultProcessors(threadCount: 9) == [])
        #expect(ProcessorTopology(allowed: [], coreOf: { [$0] }, cacheOf: { [$0] }).processors(threadCount: 1) == [])
    }

    @Test func `lists of processors are read and other text is not`() {
        #expect(ProcessorTopology.processors(listed: "0-3,8,10-11") == [0, 1, 2, 3, 8, 10, 11])
        #expect(ProcessorTopology.processors(listed: "5") == [5])
        for text in ["", "a", "3-1", "1-2-3", "-1", "1,", "0-999999999", "99999999999"] {
            #expect(ProcessorTopology.processors(listed: text) == nil)
        }
    }

    @Test func `this machine's has every processor once`() {
        let processors = Processor.topology.complexes.joined().joined()
        #expect(processors.sorted() == Processor.allowed)
    }
}
