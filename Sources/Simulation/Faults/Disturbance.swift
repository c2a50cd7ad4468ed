import ClusterCore

/// A fault that begins at a moment, strikes some machines, and lasts a while.
struct Disturbance: Sendable {
    var fault: Fault
    var machine: Int
    /// Another machine than that one.
    var other: Int
    /// How long it lasts, or after what time a process is started anew.
    var length: Duration
    /// The machines on one side of a partition.
    var side: [Int] = []
    /// How much longer messages take.
    var amount = Duration.zero
    /// How many times slower a machine is.
    var factor = 1
}

/// Draws the disturbances of a simulation, second by second.
struct Disturbances: Sendable {
    private var random: RandomStream
    private let faults: Faults

    init(seed: UInt64, faults: Faults) {
        random = RandomStream(seed: seed, .faults)
        self.faults = faults
    }

    /// Those that begin now.
    mutating func next(machineCount: Int) -> [Disturbance] {
        Fault.allCases.compactMap { fault in
            guard let (shortest, longest) = Self.length(fault) else { return nil }
            let begins = random.happens(faults[fault])
            let ofCoordinator = [.coordinatorFreeze, .coordinatorCrash, .coordinatorPowerLoss].contains(fault)
            let ofWorker = ![.partition, .onewayPartition, .reordering, .fullQueue].contains(fault)
            let machine = ofCoordinator ? 0 : random.number(in: (ofWorker ? 1 : 0)...machineCount - 1)
            var other = random.number(in: 0...machineCount - 2)
            if other >= machine { other += 1 }
            // Short ones are more frequent, and tell more of what follows on each other.
            let share = random.fraction() * random.fraction()
            // At least one machine is on either side.
            let side = (0..<machineCount).filter { random.happens(0.4) && $0 != other || $0 == machine }
            let amount = random.duration(.milliseconds(5), .milliseconds(400))
            let factor = random.number(in: 2...60)
            guard begins else { return nil }
            return Disturbance(
                fault: fault, machine: machine, other: other, length: shortest + (longest - shortest) * share,
                side: side, amount: amount, factor: factor)
        }
    }

    /// How long one lasts; nil if it is none that lasts.
    private static func length(_ fault: Fault) -> (Duration, Duration)? {
        switch fault {
        case .partition, .onewayPartition: (.milliseconds(50), .seconds(12))
        case .reordering: (.milliseconds(200), .seconds(6))
        case .slowness: (.milliseconds(200), .seconds(8))
        case .freeze, .coordinatorFreeze: (.milliseconds(20), .seconds(9))
        case .fullQueue: (.milliseconds(20), .seconds(3))
        case .crash: (.milliseconds(5), .seconds(8))
        case .coordinatorCrash: (.milliseconds(200), .seconds(4))
        case .powerLoss: (.seconds(1), .seconds(12))
        case .coordinatorPowerLoss: (.seconds(1), .seconds(6))
        case .clientLoss: (.milliseconds(1), .seconds(6))
        case .leave: (.zero, .zero)
        case .drain, .forcedDrain: (.milliseconds(50), .seconds(15))
        case .delay, .loss, .disconnection, .corruption, .loadingFailure, .stepFailure, .clockSkew: nil
        }
    }
}
