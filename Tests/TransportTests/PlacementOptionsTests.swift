import CommandSupport
import Testing
import Transport

@Suite struct PlacementOptionsTests {
    private func options(_ arguments: [String]) throws -> PlacementOptions { try PlacementOptions.parse(arguments) }

    @Test func `a placement implies the number of workers`() throws {
        #expect(try options([]).ranks == nil)
        #expect(try options([]).workerCount(nil) == nil)
        #expect(try options([]).workerCount(4) == 4)
        let placed = try options(["--placement", "2,1,3", "--activation-grid", "segment"])
        #expect(placed.ranks == [2, 1, 3])
        #expect(placed.activationGrid == .segment)
        #expect(try placed.workerCount(nil) == 6)
        #expect(try placed.workerCount(6) == 6)
        #expect(throws: (any Error).self) { try placed.workerCount(3) }
    }

    @Test func `a placement that is planned leaves the number of workers open`() throws {
        let planned = try options(["--placement", "auto"])
        #expect(planned.isPlanned && planned.ranks == nil)
        #expect(try planned.workerCount(nil) == nil)
        #expect(try planned.workerCount(3) == 3)
        #expect(try !options(["--placement", "1"]).isPlanned && !options([]).isPlanned)
    }

    @Test(arguments: ["", ",", "2,", "0", "65", "2,-1", "two", "2 1", "64,64,64,64,1", "1.5"])
    func `what is no placement is refused`(text: String) {
        #expect(throws: (any Error).self) { try options(["--placement", text]) }
    }
}
