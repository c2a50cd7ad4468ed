import Transport

extension ComputeLoop {
    /// Tells the coordinator how fast this machine is: before anything else, so that nothing else is computed meanwhile.
    func measureAtStart() {
        guard let meter else { return }
        report(0, Epoch(0)) { () throws(StageError) in .node(try meter(false)) }
    }

    /// Does what the coordinator wants measured. It asks when no step is under way.
    func measure(_ order: MeasurementOrder, _ epoch: Epoch) {
        switch order.task {
        case .node:
            report(order.number, epoch) { () throws(StageError) in
                guard let meter else { throw StageError("this worker does not measure itself", isRetryable: false) }
                var rates = try meter(true)
                // They would go before others came.
                rates.memoryFreeByteCount += UInt64(clamping: loadedWeightsByteCount)
                return .node(rates)
            }
        case .link(let peer):
            withLink(to: peer, order, epoch) { link throws(LinkMeter.Problem) in
                post(order.number, epoch, .link(try link.measure(), to: peer.node))
            }
        case .answering(let peer):
            withLink(to: peer, order, epoch) { link throws(LinkMeter.Problem) in
                post(order.number, epoch, .answering)
                try link.answer()
            }
        }
    }

    private func withLink(
        to peer: Peer, _ order: MeasurementOrder, _ epoch: Epoch, _ body: (LinkMeter) throws(LinkMeter.Problem) -> Void
    ) {
        do throws(LinkMeter.Problem) {
            // A link of the stage serves as well; it must outlast this.
            let isOurs = !targets.contains(peer.node)
            if isOurs {
                do throws(LinkError) { try links.connect(to: peer) } catch {
                    throw LinkMeter.Problem(message: "no link to \(peer.node) at \(peer.dataEndpoint): \(error)")
                }
            }
            defer { if isOurs { links.disconnect(from: peer.node) } }
            try body(
                LinkMeter(
                    links: links, clusterID: clusterID, epoch: epoch, order: order.number, peer: peer.node,
                    sharesMemory: !hostID.isEmpty && peer.hostID == hostID,
                    backlog: backlog, isAbandoned: { [inbox] in inbox.hasNews }))
        } catch {
            logger.warning("link not measured", metadata: ["peer": "\(peer.node)", "problem": "\(error.message)"])
            post(order.number, epoch, .problem(error.message.cut(toByteCount: 4096)))
        }
    }

    private func report(
        _ number: UInt64, _ epoch: Epoch, _ measure: () throws(StageError) -> MeasurementReport.Result
    ) {
        do throws(StageError) {
            let result = try measure()
            if case .node(let rates) = result {
                logger.info(
                    "measured",
                    metadata: [
                        "ternary_bytes_per_second": "\(Int(rates.ternary.bytesPerSecond))",
                        "other_bytes_per_second": "\(Int(rates.other.bytesPerSecond))",
                        "multiply_adds_per_second": "\(Int(rates.other.multiplyAddsPerSecond))",
                    ])
            }
            post(number, epoch, result)
        } catch {
            logger.warning("not measured", metadata: ["problem": "\(error.message)"])
            post(number, epoch, .problem(error.message.cut(toByteCount: 4096)))
        }
    }

    private func post(_ number: UInt64, _ epoch: Epoch, _ result: MeasurementReport.Result) {
        control.post(.measured(MeasurementReport(number: number, result: result), epoch))
    }
}
