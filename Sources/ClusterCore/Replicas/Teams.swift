import Transport

/// Which worker belongs to which replica.
///
/// A worker that joins goes to the first replica that is short of workers, else to the one with the fewest spares. Spares
/// go to replicas that are short. Where several replicas are short and do not serve, the workers of the later ones go to
/// the earlier ones, so that what is left makes as many whole replicas as it can. A worker that has a place in a pipeline
/// is never taken from it.
public struct Teams: Sendable {
    /// What there is to know of a replica.
    struct Standing: Sendable {
        /// Whether it loads or serves.
        var isPlaced = false
        /// How many workers it has that may have a part.
        var usableCount = 0
        /// How many it is to have.
        var wantedCount = 1
        /// Those of the usable ones that have no place and are promised to none, in order of joining.
        var idle: [NodeID] = []

        var shortCount: Int { max(0, wantedCount - usableCount) }
        /// Those that it can do without.
        var spares: ArraySlice<NodeID> { idle.suffix(max(0, usableCount - wantedCount)) }
    }

    struct Move: Sendable, Equatable {
        var node: NodeID
        var from: Int
        var to: Int
    }

    /// At least one.
    let count: Int
    /// Where the operator, or a plan, has put workers by name.
    private let homes: [NodeID: Int]
    /// Whether those with a home stay there.
    private let isSettled: Bool
    private var teams: [NodeID: Int] = [:]

    /// - Parameters:
    ///   - homes: where workers go that are known by name.
    ///   - isSettled: whether nobody is moved.
    init(count: Int, homes: [NodeID: Int] = [:], isSettled: Bool = false) {
        self.count = max(1, count)
        self.homes = homes
        self.isSettled = isSettled
    }

    /// The replica of a worker; nil if it is not there.
    func team(of node: NodeID) -> Int? { teams[node] }

    /// Where a worker belongs that is there now.
    ///
    /// - Parameter duplicated: replicas of which a worker has loaded the same part as this one: it serves another one better.
    mutating func admit(_ node: NodeID, _ standings: [Standing], duplicated: [Int] = []) -> Int {
        let home = homes[node].flatMap { home in isSettled || standings[home].shortCount > 0 ? home : nil }
        let short = standings.indices.filter { standings[$0].shortCount > 0 }
        let team =
            home ?? short.first { !duplicated.contains($0) } ?? short.first
            ?? standings.indices.min { (standings[$0].idle.count, $0) < (standings[$1].idle.count, $1) } ?? 0
        teams[node] = team
        return team
    }

    mutating func remove(_ node: NodeID) { teams[node] = nil }

    mutating func perform(_ move: Move) { teams[move.node] = move.to }

    /// What to do next so that as many replicas as can be are whole; nil if nothing is.
    func nextMove(_ standings: [Standing]) -> Move? {
        guard !isSettled else { return nil }
        let short = standings.indices.filter { standings[$0].shortCount > 0 }
        for team in short.sorted(by: { Self.order($0, standings) < Self.order($1, standings) }) {
            if let move = spare(for: team, standings) { return move }
            guard !standings[team].isPlaced else { continue }
            let donor = standings.indices.last { donor in
                donor > team && !standings[donor].isPlaced && standings[donor].shortCount > 0
                    && !standings[donor].idle.isEmpty
            }
            if let donor, let node = standings[donor].idle.last { return Move(node: node, from: donor, to: team) }
        }
        return nil
    }

    /// A spare of another replica, of the one that has most; nil if there is none.
    func spare(for team: Int, _ standings: [Standing]) -> Move? {
        guard !isSettled else { return nil }
        let donors = standings.indices.filter { $0 != team && !standings[$0].spares.isEmpty }
        let donor = donors.max { left, right in
            (standings[left].spares.count, right) < (standings[right].spares.count, left)
        }
        guard let donor, let node = standings[donor].spares.last else { return nil }
        return Move(node: node, from: donor, to: team)
    }

    /// Those first that do not serve.
    private static func order(_ team: Int, _ standings: [Standing]) -> (Int, Int) {
        (standings[team].isPlaced ? 1 : 0, team)
    }
}
