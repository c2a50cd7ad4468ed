import ClusterCore
import Transport

/// What goes wrong, and when it stops.
extension SimulatedCluster {
    func disturb() {
        for disturbance in disturbances.next(machineCount: world.machines.count) { begin(disturbance) }
    }

    private func begin(_ disturbance: Disturbance) {
        let network = world.network
        let machine = world.machines[disturbance.machine]
        let end = world.now.advanced(by: disturbance.length)
        switch disturbance.fault {
        case .partition:
            for one in disturbance.side {
                for other in world.machines.indices where !disturbance.side.contains(other) {
                    network.block(one, other, until: end)
                    network.block(other, one, until: end)
                }
            }
        case .onewayPartition: network.block(disturbance.machine, disturbance.other, until: end)
        case .reordering: network.lag(disturbance.machine, disturbance.other, by: disturbance.amount, until: end)
        case .fullQueue: network.jam(disturbance.machine, disturbance.other, until: end)
        case .slowness:
            machine.slowness = disturbance.factor
            machine.slowUntil = end
        case .freeze, .coordinatorFreeze:
            guard machine.isRunning else { return }
            machine.frozenUntil = max(machine.frozenUntil, end)
            network.freeze(machine.index, until: end)
        case .coordinatorCrash
        where random.happens(0.5) && coordinator?.end(afterWrites: disturbance.factor % 8 + 1) == true:
            // Counted when it comes to that.
            restartDelay = disturbance.length
            return
        case .crash, .coordinatorCrash:
            guard machine.isRunning else { return }
            crash(machine)
            world.timeline.schedule(.start(machine: machine.index), at: end)
        case .powerLoss, .coordinatorPowerLoss:
            guard machine.isRunning else { return }
            machine.isDark = true
            network.silence(of: machine.index)
            machine.isRunning = false
            if machine.index == 0 {
                coordinator?.fallSilent()
                loseCoordinator()
                world.disk.losePower(at: world.now, &random)
                world.referee.journal.powerLost()
            } else {
                workers[machine.index] = nil
            }
            world.timeline.schedule(.start(machine: machine.index), at: end)
        case .clientLoss:
            guard disconnectClient(for: disturbance.length) else { return }
        case .leave: workers[machine.index]?.stop()
        case .drain, .forcedDrain:
            // Counted when it is not refused.
            coordinator?.operate(
                .drain(machine.node, isForced: disturbance.fault == .forcedDrain), as: disturbance.fault)
            world.timeline.schedule(.resumption(machine: machine.index), at: end)
            world.trace.note(.fault(disturbance.fault, machine.index, nil), at: world.now)
            return
        case .delay, .loss, .disconnection, .corruption, .loadingFailure, .stepFailure, .clockSkew: return
        }
        network.struck.count(disturbance.fault)
        world.trace.note(.fault(disturbance.fault, disturbance.machine, disturbance.other), at: world.now)
    }

    /// The operator does not give up before the coordinator is there.
    func resume(_ machine: Machine) {
        guard let coordinator else {
            world.timeline.schedule(.resumption(machine: machine.index), after: .seconds(1))
            return
        }
        coordinator.operate(.resume(machine.node), as: nil)
    }

    /// Faults stop, what is not running is started, and what is drained is resumed.
    func calm() {
        isCalm = true
        world.trace.note(.note("faults stop"), at: world.now)
        world.faults = .none
        world.network.faults = .none
        world.network.heal()
        for machine in world.machines {
            machine.slowUntil = min(machine.slowUntil, world.now)
            machine.frozenUntil = min(machine.frozenUntil, world.now)
            world.timeline.schedule(.start(machine: machine.index), after: world.duration(.zero, .seconds(2)))
            workers[machine.index]?.thaw()
            // The coordinator is there by then, and stays.
            if machine.index > 0 { world.timeline.schedule(.resumption(machine: machine.index), after: .seconds(3)) }
        }
        _ = coordinator?.end(afterWrites: nil)
        coordinator?.wake()
        world.timeline.schedule(.inspection, after: .seconds(3))
    }
}
