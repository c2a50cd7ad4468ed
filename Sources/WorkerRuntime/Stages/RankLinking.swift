import Collectives
import Foundation
import Kernels
import Transport

/// The links of one rank to the others of its stage: shared memory on the same machine, the data plane to others.
struct RankLinking {
    let group: RankGroup
    /// Those over the data plane, which take what arrives there; nil if there are none.
    let sockets: SocketLinks?

    /// Bytes in a post. A row of what ranks exchange is far smaller; more rows go in several rounds, of which one is on its
    /// way while another is added up.
    private static let postByteCount = 1 << 20
    private static let openRoundLimit = 4
    /// How long the ranks on this machine may take to find each other. They are all told at about the same time, but may
    /// have a step or a part to finish.
    private static let meetingTimeout: Duration = .seconds(30)

    /// The ranks of an assignment that share this one's memory, itself among them; only itself if memory is not shared.
    static func nearRanks(_ assignment: StageAssignment) -> [Int] {
        let own = assignment.ranks[assignment.rank].peer.hostID
        guard !own.isEmpty else { return [assignment.rank] }
        return assignment.ranks.indices.filter { assignment.ranks[$0].peer.hostID == own }
    }

    /// - Parameters:
    ///   - links: with a link to each rank that is not near.
    ///   - isAbandoned: whether the stage is no longer wanted.
    init(
        _ assignment: StageAssignment, clusterID: String, epoch: Epoch, links: any DataLinks, backlog: DeliveryBacklog,
        isAbandoned: @escaping () -> Bool
    ) throws(StageError) {
        let near = Self.nearRanks(assignment)
        let ranks = assignment.ranks
        guard ranks.count > 1 else {
            group = .alone
            sockets = nil
            return
        }
        let wait = ExchangeWait(names: ranks.map(\.peer.node.name), isAbandoned: isAbandoned)
        var shared: SharedMemoryLinks?
        if near.count > 1 {
            let shape = SharedRegion.Shape(
                memberCount: near.count, slotCount: Self.openRoundLimit, slotByteCount: Self.postByteCount)
            // Epochs differ from cluster to cluster, too: they begin with the time in milliseconds.
            let name = Self.memoryName(clusterID: clusterID, epoch: epoch, "\(assignment.stage)-\(near[0])")
            shared = SharedMemoryLinks(
                try Self.region(name, shape, makes: assignment.rank == near[0], isAbandoned: isAbandoned), ranks: near,
                rank: assignment.rank, rankCount: ranks.count, wait: wait)
        }
        sockets =
            near.count == ranks.count
            ? nil
            : SocketLinks(
                links, clusterID: clusterID, epoch: epoch, rank: assignment.rank,
                nodes: ranks.indices.map { near.contains($0) ? nil : ranks[$0].peer.node },
                maximumPostByteCount: Self.postByteCount, openRoundLimit: Self.openRoundLimit, wait: wait,
                backlog: backlog)
        switch (shared, sockets) {
        case (let shared?, let sockets?):
            group = RankGroup(MixedLinks(near: shared, far: sockets, isNear: ranks.indices.map(near.contains)))
        case (let shared?, nil): group = RankGroup(shared)
        case (nil, let sockets?): group = RankGroup(sockets)
        case (nil, nil): group = .alone
        }
    }

    /// For loading a part before there is a stage to serve.
    static func detached(_ assignment: StageAssignment) -> RankGroup {
        guard assignment.ranks.count > 1 else { return .alone }
        return RankGroup(
            DetachedLinks(
                rank: assignment.rank, rankCount: assignment.ranks.count, maximumPostByteCount: postByteCount))
    }

    /// What memory of an epoch is called.
    static func memoryName(clusterID: String, epoch: Epoch, _ purpose: String) -> String {
        "/ryz-\(clusterID.stableHash)-\(epoch.number)-\(purpose)"
    }

    /// The first rank makes the memory, the others look for it until it is there.
    static func region(
        _ name: String, _ shape: SharedRegion.Shape, makes: Bool, within timeout: Duration = meetingTimeout,
        isAbandoned: () -> Bool
    ) throws(StageError) -> SharedRegion {
        let deadline = ContinuousClock.now + timeout
        while true {
            do throws(SharedRegion.Problem) {
                return makes
                    ? try SharedRegion(creating: name, shape) : try SharedRegion(opening: name, shape)
            } catch .system(let problem) {
                throw StageError(
                    "no memory to share with the stage's other ranks: \(problem); start the workers with "
                        + "--no-shared-memory", isRetryable: true)
            } catch {
                guard ContinuousClock.now < deadline, !isAbandoned() else {
                    throw StageError(
                        "the stage's first rank on this machine did not offer memory to share within "
                            + "\(timeout.components.seconds) s; see what keeps it", isRetryable: true)
                }
                Thread.sleep(forTimeInterval: 0.005)
            }
        }
    }
}
