/**
 * Stands before a server and counts round trips: how often a client asks again after the server has answered. Logins and
 * goodbyes are not counted.
 */

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class CountingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  roundTrips = 0;
  /** Called with each piece that a client sends; returning false swallows it, and cuts the connection. */
  onClientData: (data: Buffer) => boolean = () => true;
  /** Called with each piece that the server sends; other data may be passed on in its place. */
  onServerData: (data: Buffer) => boolean | Buffer = () => true;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(port: number): Promise<CountingProxy> {
    const server = createServer();
    const proxy = new CountingProxy(server);
    server.on("connection", (client) => proxy.#join(client, connect(port, "127.0.0.1")));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** End all connections that go through here. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  stop(): void {
    this.cut();
    this.#server.close();
  }

  #join(client: Socket, server: Socket): void {
    let answered = true;
    const cut = () => [client, server].forEach((socket) => void socket.destroy());
    client.setNoDelay(true).on("data", (data) => {
      if (answered && "PBCQ".includes(String.fromCharCode(data[0] ?? 0))) this.roundTrips++;
      answered = false;
      if (this.onClientData(data)) server.write(data);
      else cut();
    });
    server.setNoDelay(true).on("data", (data) => {
      answered = true;
      const passed = this.onServerData(data);
      if (passed === false) cut();
      else client.write(passed === true ? data : passed);
    });
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", cut).on("close", cut);
    }
  }
}
