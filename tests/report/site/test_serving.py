import http.client
import threading

import pytest

from biobench.report.site.serving import make_server


@pytest.fixture
def ask(tmp_path):
    """Ask for a path under a name; returns status and body."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("the page")
    (tmp_path / "secret").write_text("secret")
    server = make_server(site, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def ask(host, path="/", method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.putrequest(method, path, skip_host=True)
        if host is not None:
            connection.putheader("Host", host.replace("PORT", str(server.server_port)))
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    ask.server = server
    yield ask
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_server_listens_on_loopback_alone(ask):
    assert ask.server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1:PORT", "localhost:PORT", "LOCALHOST", "[::1]:PORT"])
def test_a_browser_of_this_machine_gets_the_page(ask, host):
    assert ask(host) == (200, "the page")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:PORT", "127.0.0.1.evil.example", "192.168.0.7", "", None, ":1"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_another_host_s_name_is_refused_before_any_file_is_read(ask, host, method):
    status, body = ask(host, method=method)
    assert status == 403 and "the page" not in body


@pytest.mark.parametrize("path", ["/../secret", "/%2e%2e/secret", "/..%2fsecret", "//secret"])
def test_nothing_outside_the_folder_is_served(ask, path):
    status, body = ask("localhost", path)
    assert status == 404 and body != "secret"


def test_a_folder_is_not_listed(ask, tmp_path):
    (tmp_path / "site" / "models").mkdir()
    assert ask("localhost", "/models/")[0] == 404


def test_a_port_that_is_taken_is_replaced_by_a_free_one(ask, tmp_path):
    other = make_server(tmp_path / "site", ask.server.server_port)
    assert other.server_port != ask.server.server_port
    other.server_close()
