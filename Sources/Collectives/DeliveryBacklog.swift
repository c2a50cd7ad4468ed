public import Transport

/// Messages that arrived while a rank waited for another's part, in order. Bounded: the sender of a step has only so many
/// under way.
public final class DeliveryBacklog {
    private var deliveries: [Delivery] = []
    private let limit: Int

    public init(limit: Int = 64) { self.limit = limit }

    /// False if it is full; the message is then lost.
    public func append(_ delivery: Delivery) -> Bool {
        guard deliveries.count < limit else { return false }
        deliveries.append(delivery)
        return true
    }

    /// The oldest message.
    public func next() -> Delivery? { deliveries.isEmpty ? nil : deliveries.removeFirst() }
}
