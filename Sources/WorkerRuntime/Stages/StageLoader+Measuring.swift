import Inference
import Kernels
public import Transport

extension StageLoader {
    /// How fast this machine is with the kernels and threads that stages are loaded for.
    ///
    /// - Parameter again: measure even if it was measured before.
    public func measure(again: Bool) throws(StageError) -> NodeRates {
        let meter = NodeMeter(
            threadCount: threadCount, cpus: cpus, instructionSet: instructionSet, ternaryLayout: ternaryLayout,
            kernel: kernel, prefetch: prefetch, folder: tuningFolder)
        do throws(KernelError) {
            return try meter.rates(again: again)
        } catch {
            throw StageError("its speed cannot be measured: \(error)", isRetryable: true)
        }
    }
}
