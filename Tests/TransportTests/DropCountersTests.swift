import Testing
import Transport

@Suite struct DropCountersTests {
    @Test func `drops are told apart by sender and reason and listed in order`() {
        var drops = DropCounters()
        drops.count(.olderEpoch, from: "b")
        drops.count(.malformed, from: "a")
        drops.count(.olderEpoch, from: "b")
        drops.count(.malformed, from: "b")
        #expect(drops.total == 4)
        #expect(drops.entries.map(\.sender) == ["a", "b", "b"])
        #expect(drops.entries.map(\.reason) == [.malformed, .malformed, .olderEpoch])
        #expect(drops.entries.map(\.count) == [1, 1, 2])
        #expect(drops.count(.malformed) == 2)
        #expect(drops.count(.oversized) == 0)
    }

    @Test func `a flood of invented senders does not make the counters grow`() {
        var drops = DropCounters()
        for number in 0..<1000 { drops.count(.unknownSender, from: "invented-\(number)") }
        drops.count(.malformed, from: "invented-3")
        #expect(drops.total == 1001)
        #expect(Set(drops.entries.map(\.sender)).count == DropCounters.senderLimit + 1)
        #expect(drops.entries.first { $0.sender == "others" }?.count == 936)
        #expect(drops.entries.first { $0.sender == "invented-3" && $0.reason == .malformed }?.count == 1)
    }
}
