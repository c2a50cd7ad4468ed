import ClusterCore
import Transport
import Wire

/// The simulated network: channels between machines, how long messages take, and what befalls them.
///
/// It keeps to what ZeroMQ over TCP does. Messages of a connection arrive in their order; those that are held up by a
/// partition arrive after it, or are lost with the connection if its ends do not hear of each other for five seconds.
/// Nothing is sent over a connection that is not there; a full queue takes nothing. A frame that has been corrupted either
/// does not decode, and is dropped, or is found out by a checksum, which ends the connection.
final class Network {
    /// As `DataLinkLimits` and `ControlLimits` have it.
    static let sendTimeout: Duration = .milliseconds(500)
    private static let controlQueueLength = 64
    private static let dataQueueLength = 8 + 64
    /// ZMTP heartbeats are sent each second and waited for so long.
    private static let silenceLimit: Duration = .seconds(5)

    let timeline: Timeline
    let machines: [Machine]
    /// What may go wrong with messages.
    var faults: Faults
    private(set) var channels: [Channel] = []
    private var random: RandomStream
    /// `[from][to]`
    private let latencies: [[Duration]]
    /// Until when nothing arrives, `[from][to]`.
    private var blockedUntil: [[Instant]]
    /// Until when messages take how much longer, `[from][to]`.
    private var lags: [[(until: Instant, extra: Duration)]]
    /// Which machine listens at an endpoint.
    private var listeners: [String: Int] = [:]
    private(set) var messageCount = 0
    var struck = FaultCounts()
    let trace: Trace

    init(timeline: Timeline, machines: [Machine], faults: Faults, random: RandomStream, trace: Trace) {
        self.timeline = timeline
        self.machines = machines
        self.faults = faults
        self.trace = trace
        var random = random
        latencies = machines.map { _ in machines.map { _ in random.duration(.microseconds(30), .milliseconds(2)) } }
        self.random = random
        blockedUntil = machines.map { _ in machines.map { _ in .zero } }
        lags = machines.map { _ in machines.map { _ in (.zero, .zero) } }
    }

    var now: Instant { timeline.now }

    // MARK: Endpoints and channels

    func listen(at endpoint: String, machine: Int) { listeners[endpoint] = machine }

    /// A process has ended, and its machine says so.
    func stopListening(at endpoint: String) {
        listeners[endpoint] = nil
        for channel in channels where channel.endpoint == endpoint && channel.state != .closed { breakOff(channel) }
    }

    /// A machine has its power again: it knows nothing of its old connections, and says so.
    func forget(_ machine: Int) {
        listeners = listeners.filter { $0.value != machine }
        for channel in channels where channel.state != .closed {
            if channel.client == machine {
                close(channel)
            } else if channel.server == machine {
                breakOff(channel)
            }
        }
    }

    /// A machine has no power any more: whoever is connected to it finds out from its silence.
    func silence(of machine: Int) {
        for channel in channels where channel.client == machine || channel.server == machine { watch(channel) }
    }

    func open(_ plane: Channel.Plane, from client: Int, to server: Int, at endpoint: String) -> Channel {
        let delay = latencies[client][server] + latencies[server][client]
        let channel = Channel(
            number: channels.count, plane: plane, client: client, server: server, endpoint: endpoint,
            at: now.advanced(by: delay))
        channels.append(channel)
        timeline.schedule(.connecting(channel: channel.number), after: delay)
        return channel
    }

    /// The client closes a channel. What it has sent leaves, or is lost with its queue.
    func close(_ channel: Channel) {
        guard channel.state != .closed else { return }
        channel.state = .closed
        channel.lanes.toClient.flights.removeAll()
        if random.happens(0.5) { channel.clear() }
    }

    /// A connection breaks, and its client tries to make it again.
    func breakOff(_ channel: Channel) {
        guard channel.state != .closed else { return }
        channel.clear()
        channel.attemptCount = 0
        retry(channel)
    }

    private func retry(_ channel: Channel) {
        // From 100 ms on, twice as long each time, up to a second.
        let longest = Duration.milliseconds(100 << min(channel.attemptCount, 4))
        channel.attemptCount += 1
        let time = now.advanced(by: random.duration(.milliseconds(100), min(.seconds(1), longest + .milliseconds(20))))
        channel.state = .connecting(at: time)
        timeline.schedule(.connecting(channel: channel.number), at: time)
    }

    func tryConnecting(_ number: Int) {
        let channel = channels[number]
        guard case .connecting(let time) = channel.state, time == now else { return }
        guard isReachable(channel, at: now) else {
            channel.clear()
            retry(channel)
            return
        }
        channel.state = .up
        channel.connectionCount += 1
        channel.attemptCount = 0
    }

    private func isReachable(_ channel: Channel, at time: Instant) -> Bool {
        let (client, server) = (machines[channel.client], machines[channel.server])
        return listeners[channel.endpoint] == channel.server && !server.isDark && server.frozenUntil <= time
            && !client.isDark && client.frozenUntil <= time
            && blockedUntil[channel.client][channel.server] <= time
            && blockedUntil[channel.server][channel.client] <= time
    }

    // MARK: Sending

    /// Sends without waiting; false if there is no connection or its queue is full.
    ///
    /// - Throws: the problem if the envelope breaks the limits of the protocol.
    func send(
        _ envelope: Envelope, over channel: Channel, _ direction: Lane.Direction
    ) throws(WireError) -> Bool {
        let bytes = try Wire.encode(envelope)
        guard channel.state == .up, channel.jammedUntil <= now,
            channel[direction].flights.count < Self.controlQueueLength
        else { return false }
        launch(envelope, bytes, nil, over: channel, direction, at: now)
        return true
    }

    /// Sends to the server from a thread that has got as far as `time`, and waits for a connection and room for the
    /// send time-out.
    ///
    /// - Returns: when it was sent; nil if it was not.
    /// - Throws: the problem if the envelope breaks the limits of the protocol.
    func send(
        _ envelope: Envelope, payload: [UInt64]?, over channel: Channel, from time: Instant
    ) throws(WireError) -> Instant? {
        let bytes = try Wire.encode(envelope)
        var ready = max(time, channel.jammedUntil)
        switch channel.state {
        case .up: break
        case .connecting(let attempt):
            guard isReachable(channel, at: attempt) else { return nil }
            ready = max(ready, attempt)
        case .closed: return nil
        }
        guard time.duration(to: ready) <= Self.sendTimeout,
            channel[.toServer].flights.count < Self.dataQueueLength
        else { return nil }
        launch(envelope, bytes, payload, over: channel, .toServer, at: ready)
        return ready
    }

    private func launch(
        _ envelope: Envelope, _ bytes: [UInt8], _ payload: [UInt64]?, over channel: Channel,
        _ direction: Lane.Direction, at time: Instant
    ) {
        messageCount += 1
        let (from, to) = channel.ends(direction)
        if strikes(.loss) {
            trace.note(.fault(.loss, from, to), at: now)
            return
        }
        if strikes(.disconnection) {
            trace.note(.fault(.disconnection, from, to), at: now)
            breakOff(channel)
            return
        }
        var flight = Lane.Flight(bytes: bytes, payload: payload, arrival: time)
        if strikes(.corruption) {
            trace.note(.fault(.corruption, from, to), at: now)
            flight.original = envelope
            corrupt(&flight)
        }
        var delay = latencies[from][to] * (1 + random.fraction())
        if strikes(.delay) { delay += random.duration(.zero, .milliseconds(250)) }
        let lag = lags[from][to]
        if lag.until > time { delay += lag.extra }
        flight.arrival = max(channel[direction].lastArrival, time.advanced(by: delay))
        channel[direction].lastArrival = flight.arrival
        channel[direction].flights.append(flight)
        schedule(channel, direction)
    }

    private func corrupt(_ flight: inout Lane.Flight) {
        switch random.number(in: 0...3) {
        case 0: flight.bytes.removeLast(random.number(in: 1...flight.bytes.count))
        case 1 where flight.payload?.isEmpty == false: flight.payload?.removeLast()
        case 2: flight.bytes += [UInt8(random.number(in: 0...255))]
        default:
            for _ in 0..<random.number(in: 1...4) {
                let index = random.number(in: 0...flight.bytes.count - 1)
                flight.bytes[index] ^= UInt8(1 << random.number(in: 0...7))
            }
        }
    }

    private func strikes(_ fault: Fault) -> Bool {
        guard faults[fault] > 0, random.happens(faults[fault]) else { return false }
        struck.count(fault)
        return true
    }

    private func schedule(_ channel: Channel, _ direction: Lane.Direction) {
        guard !channel[direction].isScheduled, let first = channel[direction].flights.first else { return }
        channel[direction].isScheduled = true
        timeline.schedule(.arrival(channel: channel.number, direction), at: first.arrival)
    }

    // MARK: Arriving

    /// What arrives now on a lane.
    enum Arrival {
        case message(Envelope, payload: [UInt64]?, Channel, to: Int)
        /// A frame that does not decode.
        case malformed(Channel, to: Int)
    }

    func arrive(_ number: Int, _ direction: Lane.Direction) -> Arrival? {
        let channel = channels[number]
        let (from, to) = channel.ends(direction)
        channel[direction].isScheduled = false
        defer { schedule(channel, direction) }
        guard let first = channel[direction].flights.first, first.arrival <= now else { return nil }
        let blocked = blockedUntil[from][to]
        guard blocked <= now else {
            channel[direction].flights[0].arrival = blocked
            return nil
        }
        channel[direction].flights.removeFirst()
        guard !machines[to].isDark, machines[to].isRunning else { return nil }
        let envelope: Envelope
        do throws(WireError) { envelope = try Wire.decode(first.bytes) } catch {
            if case .otherVersion = error {
                breakOff(channel)
                return nil
            }
            return .malformed(channel, to: to)
        }
        if let original = first.original, envelope != original {
            breakOff(channel)
            return nil
        }
        trace.note(.message(envelope, from, to), first.bytes, at: now)
        return .message(envelope, payload: first.payload, channel, to: to)
    }

    // MARK: Faults of links

    /// Lets nothing pass from one machine to another until a time.
    func block(_ from: Int, _ to: Int, until time: Instant) {
        blockedUntil[from][to] = max(blockedUntil[from][to], time)
        guard now.duration(to: time) > Self.silenceLimit else { return }
        for channel in channels {
            let ends = (channel.client, channel.server)
            if ends == (from, to) || ends == (to, from) { watch(channel) }
        }
    }

    /// Has messages take longer from one machine to another.
    func lag(_ from: Int, _ to: Int, by extra: Duration, until time: Instant) { lags[from][to] = (time, extra) }

    /// Has the connections between two machines take nothing for a while.
    func jam(_ from: Int, _ to: Int, until time: Instant) {
        for channel in channels where channel.client == from && channel.server == to && channel.state != .closed {
            channel.jammedUntil = time
        }
    }

    /// A machine stands still until a time.
    func freeze(_ machine: Int, until time: Instant) {
        guard now.duration(to: time) > Self.silenceLimit else { return }
        silence(of: machine)
    }

    /// Ends all that holds links up.
    func heal() {
        for from in machines.indices {
            for to in machines.indices {
                blockedUntil[from][to] = min(blockedUntil[from][to], now)
                lags[from][to].until = min(lags[from][to].until, now)
            }
        }
        for channel in channels {
            channel.jammedUntil = min(channel.jammedUntil, now)
            for direction in [Lane.Direction.toServer, .toClient] where !channel[direction].flights.isEmpty {
                // What waited for the end of a partition goes on at once.
                let latest = now.advanced(by: .milliseconds(5))
                for index in channel[direction].flights.indices {
                    channel[direction].flights[index].arrival = min(channel[direction].flights[index].arrival, latest)
                }
                channel[direction].lastArrival = latest
                timeline.schedule(.arrival(channel: channel.number, direction), at: latest)
            }
        }
    }

    private func watch(_ channel: Channel) {
        guard channel.state == .up else { return }
        let limit = Self.silenceLimit + random.duration(.zero, .seconds(1))
        timeline.schedule(
            .silence(channel: channel.number, connection: channel.connectionCount), after: limit)
    }

    /// The ends of a connection have not heard of each other for too long, if that is still so.
    func noticeSilence(_ number: Int, connection: Int) {
        let channel = channels[number]
        guard channel.state == .up, channel.connectionCount == connection, !isReachable(channel, at: now) else {
            return
        }
        breakOff(channel)
    }
}
