"""The built documentation in a browser: navigation, search, formulas, and narrow windows."""

import functools
import http.server
import re
import shutil
import threading

import pytest

from helpers.project import BROWSER, SITE, read

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
conditions = pytest.importorskip("selenium.webdriver.support.expected_conditions")
wait = pytest.importorskip("selenium.webdriver.support.wait")

DRIVER = shutil.which("chromedriver")
REFERENCE = ("sk_gd.html", "sk_gd.optimizers.html", "sk_gd.GDClassifier.html")

pytestmark = [
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="the documentation is not built"),
    pytest.mark.skipif(
        None in (BROWSER, DRIVER),
        reason="there is no chromium with a chromedriver to look at the documentation",
    ),
]


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *args):
        """Log nothing."""


class Reader:
    """A reader with a browser."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address

    def open(self, page):
        """Go to a page of the site."""
        self.driver.get(f"{self.address}/{page}")

    def window(self, width, height=900):
        """Set the size of the window; narrow ones count as telephones."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def find(self, selector):
        """Wait for the first such element to be visible."""
        seen = conditions.visibility_of_element_located(("css selector", selector))
        return wait.WebDriverWait(self.driver, 20).until(seen, f"there is no {selector}")

    def click(self, selector):
        """Scroll to an element and click on it."""
        element = self.find(selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    @property
    def title(self):
        """The first heading."""
        return self.find("h1").text.strip().rstrip("#")

    def complaints(self):
        """Errors and warnings of the console since the last call."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]


@pytest.fixture(scope="module")
def reader():
    """A reader of the site, which a local server provides."""
    handler = functools.partial(Handler, directory=SITE)
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        service = webdriver.ChromeService(DRIVER)
        with webdriver.Chrome(options=options, service=service) as driver:
            yield Reader(driver, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.fixture(autouse=True)
def quiet(reader):
    """No page may cause errors or warnings on the console."""
    reader.window(1280)
    reader.complaints()
    yield
    assert reader.complaints() == []


def heading(page):
    """The title in the source of a page."""
    return re.search(r"^(.+)\n=+$", read(f"docs/{page}.rst"), re.MULTILINE)[1]


def test_from_the_front_page_to_a_class(reader):
    reader.open("index.html")
    assert reader.title == heading("index")
    reader.click(".bd-article a[href='guide/first.html']")
    assert reader.title == heading("guide/first")
    reader.click("a.right-next")
    assert reader.title == heading("guide/tuning")
    reader.click(".bd-article a[href*='GDGridSearchCV']")
    assert reader.title == "GDGridSearchCV"
    reader.click(".bd-header a[href*='optimizers/index']")
    assert reader.title == heading("optimizers/index")
    reader.click(".bd-article table.catalogue a[href*='sk_gd.optimizers.Nesterov']")
    assert reader.title == "Nesterov"


def test_search(reader):
    reader.open("index.html")
    reader.click("button.search-button-field")
    field = reader.find("dialog input[type='search']")
    field.send_keys("nesterov\n")
    reader.click("#search-results a[href*='reference/sk_gd.optimizers.Nesterov.html']")
    assert reader.title == "Nesterov"


def test_on_a_telephone(reader):
    """The menu opens and its links work."""
    reader.window(390)
    reader.open("guide/first.html")
    reader.click(".primary-toggle")
    reader.click("dialog a[href*='schedules.html']")
    assert reader.title == heading("schedules")


def test_formulas(reader):
    """MathJax renders them; it is part of the site."""
    reader.open("reference/sk_gd.optimizers.Adam.html")
    assert reader.find("mjx-container svg, mjx-container mjx-math").size["height"] > 10
    assert r"\beta_1 m_{t-1}" not in reader.find("body").text


# The theme scrolls the article, so the width of the page itself says nothing.
WIDER = """
const article = document.querySelector(".bd-article-container");
const edge = article.getBoundingClientRect().left + article.clientWidth;
const scrolls = box => ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
return [...article.querySelectorAll("*")].filter(element => {
    if (element.getBoundingClientRect().right <= edge + 1) return false;
    for (let box = element.parentElement; box != article; box = box.parentElement) {
        if (scrolls(box)) return false;
    }
    return true;
}).map(element => element.outerHTML.slice(0, 80));
"""

# The theme moves its columns slowly when the width of the window changes.
AT_ONCE = """
const style = document.createElement("style");
style.textContent = "* { transition: none !important; }";
document.head.append(style);
"""

# Code that has to be scrolled to be read. What programs print may be of any width.
SCROLLED = """
return [...document.querySelectorAll(".bd-article div.highlight pre")].filter(code =>
    code.scrollWidth > code.clientWidth + 1 && !code.closest(".sphx-glr-script-out")
).map(code => code.outerHTML.slice(0, 80));
"""
# How many lines the header has: an item below the bottom of another one begins a line.
LINES = """
const items = [...document.querySelectorAll(".bd-header a, .bd-header button")].map(
    item => item.getBoundingClientRect()).filter(box => box.height > 0);
let lines = 0, bottom = -Infinity;
for (const box of items.sort((a, b) => a.top - b.top)) {
    if (box.top >= bottom) [lines, bottom] = [lines + 1, box.bottom];
}
return lines;
"""


def test_pages_fit_the_window(reader):
    """Wide tables have scroll bars of their own, and so has code in narrow windows."""
    pages = [path for path in SITE.rglob("*.html") if "_static" not in path.parts]
    pages = [path for path in pages if path.parent.name != "reference" or path.name in REFERENCE]
    assert len(pages) > 30
    wider = {}
    for path in pages:
        reader.open(path.relative_to(SITE).as_posix())
        reader.driver.execute_script(AT_ONCE)
        for width in (360, 1000, 1200, 1440):
            reader.window(width)
            found = reader.driver.execute_script(WIDER)
            if width >= 1200:
                found += reader.driver.execute_script(SCROLLED)
            if found:
                wider[path.name, width] = found[:3]
    assert wider == {}


def test_the_header_is_one_line_and_the_list_of_the_page_opens(reader):
    """On a small laptop the list is behind a button, to leave room for code."""
    reader.window(1200)
    reader.open("guide/large.html")
    assert reader.driver.execute_script(LINES) == 1
    reader.click("button.secondary-toggle")
    reader.click("dialog a[href='#threads']")
    reader.window(1440)
    reader.open("guide/large.html")
    assert reader.driver.execute_script(LINES) == 1
    assert reader.find("#pst-secondary-sidebar a[href='#threads']")
