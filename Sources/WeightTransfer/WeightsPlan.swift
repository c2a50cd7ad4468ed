/// Which of the items that are wanted each source is asked for next.
///
/// The origin has all of them; helpers have some. What a helper has is asked of helpers, so that the origin is spared, unless
/// they are slow: then of both. Each source takes the next when it has answered, so the faster ones take more.
struct WeightsPlan {
    private enum State: UInt8 {
        case waiting, asked, done
    }

    private struct Helper {
        var holds: [Bool]
        /// The next one last; perhaps with some that no longer wait.
        var queue: [Int]
        var isSlow = false
    }

    private var states: [State]
    /// How many helpers have each item, the slow ones not counted.
    private var helperCounts: [UInt8]
    /// Those that the origin is asked for, the next one last; perhaps with some that no longer wait, or that a helper has now.
    private var originQueue: [Int]
    private var helpers: [Int: Helper] = [:]
    /// Items that have not come yet.
    private(set) var openCount: Int

    init(count: Int) {
        states = [State](repeating: .waiting, count: count)
        helperCounts = [UInt8](repeating: 0, count: count)
        originQueue = Array((0..<count).reversed())
        openCount = count
    }

    /// What to ask the origin for; nil for nothing now.
    mutating func nextForOrigin() -> Int? {
        while let item = originQueue.popLast() {
            guard states[item] == .waiting, helperCounts[item] == 0 else { continue }
            states[item] = .asked
            return item
        }
        return nil
    }

    /// What to ask that helper for; nil for nothing now.
    mutating func next(for helper: Int) -> Int? {
        while let item = helpers[helper]?.queue.popLast() {
            guard states[item] == .waiting else { continue }
            states[item] = .asked
            return item
        }
        return nil
    }

    /// It did not come, and has to be asked for anew.
    mutating func giveBack(_ item: Int) {
        guard states[item] == .asked else { return }
        states[item] = .waiting
        if helperCounts[item] == 0 { originQueue.append(item) }
        for (number, helper) in helpers where helper.holds[item] { helpers[number]?.queue.append(item) }
    }

    /// It has come.
    mutating func finish(_ item: Int) {
        guard states[item] != .done else { return }
        states[item] = .done
        openCount -= 1
    }

    /// A helper has these, at least; it may have come only now. At most 255 helpers are told apart.
    mutating func note(_ helper: Int, holds: (Int) -> Bool) {
        var entry = helpers[helper] ?? Helper(holds: [Bool](repeating: false, count: states.count), queue: [])
        for item in states.indices.reversed() where states[item] != .done && !entry.holds[item] && holds(item) {
            entry.holds[item] = true
            entry.queue.append(item)
            if !entry.isSlow { helperCounts[item] += 1 }
        }
        helpers[helper] = entry
    }

    /// The origin is asked for what that helper has, too.
    mutating func noteSlow(_ helper: Int) {
        guard let entry = helpers[helper], !entry.isSlow else { return }
        helpers[helper]?.isSlow = true
        release(entry)
    }

    /// That helper is not asked any more. What it was asked for has to be given back, before or after.
    mutating func remove(_ helper: Int) {
        guard let entry = helpers.removeValue(forKey: helper), !entry.isSlow else { return }
        release(entry)
    }

    private mutating func release(_ helper: Helper) {
        for item in states.indices.reversed() where helper.holds[item] {
            helperCounts[item] -= 1
            if helperCounts[item] == 0, states[item] == .waiting { originQueue.append(item) }
        }
    }
}
