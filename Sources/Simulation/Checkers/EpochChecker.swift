import Transport

/// Epochs only grow: as they are opened, as a connection hears of them, and as a worker's process is assigned a part.
struct EpochChecker {
    private var opened: Epoch?
    /// By channel.
    private var sent: [Int: Epoch] = [:]
    /// By machine, the epoch that its present process was assigned last.
    private var assigned: [Int: (process: Int, epoch: Epoch)] = [:]

    mutating func opened(_ epoch: Epoch) -> String? {
        defer { opened = epoch }
        guard let opened, epoch <= opened else { return nil }
        return "epoch \(epoch.number) was opened after \(opened.number)"
    }

    mutating func sent(_ epoch: Epoch, over channel: Int) -> String? {
        defer { sent[channel] = epoch }
        guard let last = sent[channel], epoch < last else { return nil }
        return "a message of epoch \(epoch.number) went out after one of \(last.number)"
    }

    mutating func assigned(_ machine: Int, process: Int, _ epoch: Epoch) -> String? {
        defer { assigned[machine] = (process, epoch) }
        guard let last = assigned[machine], last.process == process, epoch <= last.epoch else { return nil }
        return "a worker took an assignment of epoch \(epoch.number) after one of \(last.epoch.number)"
    }
}
