import TestSupport
import Testing

@testable import WeightTransfer

@Suite struct WeightsPlanTests {
    @Test func `the origin is asked for what nobody else has, in order`() {
        var plan = WeightsPlan(count: 6)
        plan.note(1) { $0 >= 4 }
        plan.note(2) { $0 == 1 || $0 == 4 }
        #expect([plan.next(for: 1), plan.next(for: 1), plan.next(for: 1)] == [4, 5, nil])
        #expect([plan.next(for: 2), plan.next(for: 2)] == [1, nil])
        #expect((0..<4).map { _ in plan.nextForOrigin() } == [0, 2, 3, nil])
        for item in 0..<6 { plan.finish(item) }
        plan.finish(3)
        #expect(plan.openCount == 0)
    }

    @Test func `what a helper that goes was asked for comes from another one that has it, or the origin`() {
        var plan = WeightsPlan(count: 3)
        plan.note(1) { $0 < 2 }
        plan.note(2) { $0 == 0 }
        #expect([plan.next(for: 1), plan.next(for: 1)] == [0, 1])
        plan.remove(1)
        for item in [1, 0] { plan.giveBack(item) }
        #expect(plan.next(for: 1) == nil && plan.next(for: 2) == 0)
        #expect([plan.nextForOrigin(), plan.nextForOrigin(), plan.nextForOrigin()] == [1, 2, nil])
    }

    @Test func `what a slow helper has the origin is asked for, too`() {
        var plan = WeightsPlan(count: 4)
        plan.note(1) { _ in true }
        #expect(plan.next(for: 1) == 0 && plan.nextForOrigin() == nil)
        plan.noteSlow(1)
        #expect([plan.nextForOrigin(), plan.next(for: 1)] == [1, 2])
        plan.remove(1)
        plan.giveBack(2)
        plan.giveBack(0)
        #expect(
            [plan.nextForOrigin(), plan.nextForOrigin(), plan.nextForOrigin(), plan.nextForOrigin()] == [0, 2, 3, nil])
    }

    @Test(arguments: 0..<200) func `whatever helpers do, each item is asked for once at a time, and all come`(
        seed: UInt64
    ) {
        var generator = SeededGenerator(seed: seed)
        let count = Int.random(in: 0...40, using: &generator)
        var plan = WeightsPlan(count: count)
        var asked: [(source: Int, item: Int)] = []
        var arrived = Set<Int>()
        var helpers = Set<Int>()
        var lastHelper = 0
        for round in 0..<20_000 where plan.openCount > 0 {
            // In the end there is only the origin.
            switch Int.random(in: round < 500 ? 0...9 : 5...9, using: &generator) {
            case 0 where lastHelper < 16:
                lastHelper += 1
                helpers.insert(lastHelper)
                fallthrough
            case 1:
                guard let helper = helpers.randomElement(using: &generator) else { continue }
                let share = Int.random(in: 1...4, using: &generator)
                plan.note(helper) { $0 % share == 0 }
            case 2:
                guard let helper = helpers.randomElement(using: &generator) else { continue }
                plan.noteSlow(helper)
            case 3, 4, 5:
                guard let helper = helpers.randomElement(using: &generator) else { continue }
                helpers.remove(helper)
                plan.remove(helper)
                for item in asked.filter({ $0.source == helper }).map(\.item) { plan.giveBack(item) }
                asked.removeAll { $0.source == helper }
            case 6:
                guard let index = asked.indices.randomElement(using: &generator) else { continue }
                plan.giveBack(asked.remove(at: index).item)
            case 7:
                guard let index = asked.indices.randomElement(using: &generator) else { continue }
                let item = asked.remove(at: index).item
                #expect(arrived.insert(item).inserted)
                plan.finish(item)
            default:
                let source = helpers.randomElement(using: &generator) ?? 0
                let isHelper = source > 0 && Bool.random(using: &generator)
                guard let item = isHelper ? plan.next(for: source) : plan.nextForOrigin() else { continue }
                #expect(!asked.contains { $0.item == item } && !arrived.contains(item))
                asked.append((isHelper ? source : 0, item))
            }
        }
        #expect(plan.openCount == 0 && arrived.count == count)
    }
}
