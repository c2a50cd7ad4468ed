import Testing
import Transport

@testable import ClusterCore

/// Two or three replicas of two workers each.
struct TeamsTests {
    private static func standing(_ usable: Int, idle: [NodeID] = [], isPlaced: Bool = false) -> Teams.Standing {
        Teams.Standing(isPlaced: isPlaced, usableCount: usable, wantedCount: 2, idle: idle)
    }

    private static let whole = standing(2, isPlaced: true)

    @Test func `those that join fill one replica after the other, and spares are spread`() {
        var teams = Teams(count: 2)
        #expect(teams.admit(a, [Self.standing(0), Self.standing(0)]) == 0)
        #expect(teams.admit(b, [Self.standing(1, idle: [a]), Self.standing(0)]) == 0)
        #expect(teams.admit(c, [Self.whole, Self.standing(1, idle: [d])]) == 1)
        #expect(teams.admit(d, [Self.standing(3, idle: [a], isPlaced: true), Self.whole]) == 1)
        #expect([a, b, c, d].map { teams.team(of: $0) } == [0, 0, 1, 1])
        teams.remove(a)
        #expect(teams.team(of: a) == nil)
    }

    @Test func `a worker that has loaded what a replica has already goes to another that is short`() {
        var teams = Teams(count: 2)
        let short = [Self.standing(1, idle: [a]), Self.standing(0)]
        #expect(teams.admit(b, short, duplicated: [0]) == 1)
        // Better twice than not at all.
        #expect(teams.admit(c, short, duplicated: [0, 1]) == 0)
    }

    @Test func `a spare goes to the replica that is short, from the one that has most`() {
        let teams = Teams(count: 3)
        let standings = [
            Self.standing(3, idle: [a], isPlaced: true), Self.standing(1, idle: [b]),
            Self.standing(4, idle: [c, d], isPlaced: true),
        ]
        #expect(teams.nextMove(standings) == Teams.Move(node: d, from: 2, to: 1))
        #expect(teams.spare(for: 0, standings) == Teams.Move(node: d, from: 2, to: 0))
    }

    @Test func `a replica that serves lends no worker that it needs`() {
        let teams = Teams(count: 2)
        // It serves on fewer than wanted, and the idle one is to be brought in there.
        let reduced = Self.standing(2, idle: [d], isPlaced: true)
        #expect(teams.nextMove([Self.standing(1, idle: [a]), reduced]) == nil)
        #expect(teams.nextMove([Self.standing(1, idle: [a]), Self.whole]) == nil)
    }

    @Test func `what is left of two broken replicas makes one that is whole`() {
        let teams = Teams(count: 3)
        let halves = [Self.standing(1, idle: [a]), Self.whole, Self.standing(1, idle: [d])]
        #expect(teams.nextMove(halves) == Teams.Move(node: d, from: 2, to: 0))
        #expect(teams.nextMove([Self.standing(2, idle: [a, d]), Self.whole, Self.standing(0)]) == nil)
        // Nobody is taken from one that is about to load.
        let loading = Self.standing(1, idle: [d], isPlaced: true)
        #expect(teams.nextMove([Self.standing(1, idle: [a]), Self.whole, loading]) == nil)
    }

    @Test func `moves come to an end, whatever the teams are like`() {
        var generator = SystemRandomNumberGenerator()
        let names = (0..<9).compactMap { NodeID("node-\($0)") }
        for _ in 0..<500 {
            var members = [[NodeID]](repeating: [], count: 3)
            for name in names { members[Int.random(in: 0..<3, using: &generator)].append(name) }
            let placed = members.map { $0.count >= 2 && Bool.random() }
            let teams = Teams(count: 3)
            var moveCount = 0
            while moveCount <= names.count,
                let move = teams.nextMove(
                    zip(members, placed).map { nodes, isPlaced in
                        Self.standing(
                            nodes.count, idle: isPlaced ? Array(nodes.dropFirst(2)) : nodes, isPlaced: isPlaced)
                    })
            {
                #expect(members[move.from].contains(move.node))
                members[move.from].removeAll { $0 == move.node }
                members[move.to].append(move.node)
                moveCount += 1
            }
            #expect(moveCount <= names.count)
            // Nine workers are enough for three replicas.
            #expect(members.allSatisfy { $0.count >= 2 })
        }
    }

    @Test func `workers that the operator has named stay where they are`() {
        var teams = Teams(count: 2, homes: [a: 1, b: 0], isSettled: true)
        #expect(teams.admit(a, [Self.standing(0), Self.standing(0)]) == 1)
        #expect(teams.nextMove([Self.standing(1, idle: [b]), Self.standing(1, idle: [a])]) == nil)
    }
}
