/// Something that may go wrong in a simulated cluster.
public enum Fault: String, CaseIterable, Sendable {
    /// A message takes up to a quarter of a second longer, and those behind it on the link with it.
    case delay
    /// One link falls behind all others for a while, so that what was sent over it comes late.
    case reordering
    /// A message vanishes: as when it is dropped from a queue, or does not decode.
    case loss
    /// A connection breaks with all that is under way on it, and is made again.
    case disconnection
    /// Bytes of a frame change.
    case corruption
    /// Some nodes cannot reach some others, in either direction.
    case partition
    /// One node does not reach another, while that one reaches it.
    case onewayPartition = "oneway-partition"
    /// A node computes and loads many times slower for a while.
    case slowness
    /// All threads of a worker stand still for a while.
    case freeze
    /// A worker's process ends; its connections close. It is started anew, at once or a while later.
    case crash
    /// A worker's machine loses its power; nobody is told. It comes back after a while.
    case powerLoss = "power-loss"
    /// A worker leaves in good order, and is started anew a while later.
    case leave
    /// A connection takes nothing for a while.
    case fullQueue = "full-queue"
    /// A worker cannot load its part this time.
    case loadingFailure = "loading-failure"
    /// A worker cannot compute a step for want of memory.
    case stepFailure = "step-failure"
    /// All threads of the coordinator stand still for a while.
    case coordinatorFreeze = "coordinator-freeze"
    /// The coordinator's process ends, perhaps in the middle of what it does, and is started anew: it has what its journal has.
    case coordinatorCrash = "coordinator-crash"
    /// The coordinator's machine loses its power, and with it what the journal's file was given and was not synced.
    case coordinatorPowerLoss = "coordinator-power-loss"
    /// A client loses its connection, and reads on over another one a while later.
    case clientLoss = "client-loss"
    /// An operator drains a worker, if others can take over what it holds, and resumes it a while later.
    case drain
    /// The same, also where nobody can take over.
    case forcedDrain = "forced-drain"
    /// A node's clock runs up to 5 % fast or slow.
    case clockSkew = "clock-skew"
}

extension Fault {
    /// How likely it is where it is on: see `Faults`.
    var usualProbability: Double {
        switch self {
        case .delay: 0.02
        case .loss: 0.001
        case .disconnection: 0.0005
        case .corruption: 0.001
        case .fullQueue, .reordering: 0.04
        case .partition, .onewayPartition, .slowness, .freeze, .crash: 0.03
        case .drain: 0.03
        case .powerLoss, .leave, .forcedDrain, .coordinatorFreeze: 0.015
        case .coordinatorCrash: 0.015
        case .coordinatorPowerLoss: 0.008
        case .clientLoss: 0.15
        case .loadingFailure: 0.05
        case .stepFailure: 0.002
        case .clockSkew: 0.5
        }
    }
}
